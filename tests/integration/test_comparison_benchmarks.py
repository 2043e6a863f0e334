"""The lines that the comparison benchmarks keep, and what the bar is chosen by. Nothing is searched."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import comparison_cells
from benchmarks.comparison_cells import ComparisonRequest, StoredCell, decode, encode
from benchmarks.comparisons import CONFIG, contenders_of, require_known
from benchmarks.search_bar import CHOICE, choose, is_measured, read_choice
from cluster.config import run_config
from tests.cluster.evaluation.made_up_comparison import cell

CONFIGURED = run_config.load(CONFIG, ())
CONTENDERS = contenders_of(CONFIGURED, 0.7, None)
REQUEST = ComparisonRequest(config_file=CONFIG, config=CONFIGURED, split="deeper", limit=4, budgets=(500, 1000))


def stored(strategy: str, tokens: float, budget: int, seed: int = 0, **accuracies: list[float]) -> StoredCell:
    return StoredCell(
        commit="abc1234",
        machine="a machine, 2 cores",
        split="deeper",
        problems=4,
        seed=seed,
        contender=CONTENDERS[strategy].model_dump(mode="json"),
        cell=cell(strategy, tokens, {**accuracies, "coverage": [1.0] * 4}, repeat=seed, budget=budget),
    )


def test_outcomes_are_compact_and_come_back() -> None:
    assert encode([1, 0, 0.5, 1 / 3, 1.0]) == "10(0.5)(0.3333)1"
    assert decode("10(0.5)(0.3333)1") == (1.0, 0.0, 0.5, 0.3333, 1.0) and decode("") == ()
    with pytest.raises(ValueError, match="no outcomes: '10x'"):
        decode("10x")


def test_line_of_a_cell_comes_back_and_choices_are_no_cells(tmp_path: Path) -> None:
    file, line = tmp_path / "cells.jsonl", stored("mcts", 510.0, 500, best=[1, 0, 0.5, 1])
    comparison_cells.append(file, line)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(f"{json.dumps({CHOICE: {'rival': 'mcts'}})}\n")
    assert comparison_cells.read(file) == [line] and read_choice(file) == {"rival": "mcts"}
    assert comparison_cells.read(tmp_path / "none.jsonl") == [] and read_choice(tmp_path / "none.jsonl") is None


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ('{"cell": {"acc', "cells.jsonl:2: damaged: not JSON"),
        ("[1]", "cells.jsonl:2: damaged: no JSON object"),
        ('{"cell": {"accuracies": {"best": "10x"}}}', "cells.jsonl:2: damaged: no cell .no outcomes: '10x'"),
        ('{"cell": 3}', "cells.jsonl:2: damaged: no cell"),
        ('{"cell": {"accuracies": {}}}', "cells.jsonl:2: damaged: no cell"),
    ],
)
def test_damaged_line_is_named_when_cells_are_read(tmp_path: Path, damage: str, message: str) -> None:
    file = tmp_path / "cells.jsonl"
    comparison_cells.append(file, stored("mcts", 510.0, 500, best=[1, 0, 0.5, 1]))
    with file.open("a", encoding="utf-8") as lines:
        lines.write(damage)
    with pytest.raises(SystemExit, match=message) as refused:
        comparison_cells.read(file)
    assert "\n" not in str(refused.value) and "remove the line" in str(refused.value)


def test_unknown_name_of_an_option_is_refused() -> None:
    require_known("--only", ["mcts"], CONTENDERS)
    with pytest.raises(SystemExit, match="--only: 'mtcs' is unknown: one of greedy, majority"):
        require_known("--only", ["mtcs"], CONTENDERS)


def test_finished_cells_are_those_of_the_same_settings() -> None:
    line = stored("mcts", 510.0, 500, best=[1, 0, 0, 1])
    first, second = REQUEST.keys(0, "mcts", CONTENDERS["mcts"])
    assert line.covers(first) and not line.covers(second)
    other = CONTENDERS["mcts"].model_copy(update={"settings": {"strategy": "mcts", "rollouts": 9}})
    assert not any(line.covers(key) for key in REQUEST.keys(0, "mcts", other) + REQUEST.keys(1, "mcts", other))
    warmer = replace(
        REQUEST, overrides=("--evaluation.search.temperature=1.3",), problem_fields=("--problems.train.count=9",)
    )
    (key, _) = warmer.keys(0, "mcts", CONTENDERS["mcts"])
    assert not line.covers(key) and replace(line, overrides=warmer.overrides).covers(key)
    both = replace(line, cell=replace(line.cell, budgets=(500, 1000)))  # no value comes nearer to the second budget
    assert both.covers(second)


def test_repeated_cell_is_read_as_it_was_measured_last() -> None:
    lines = [stored("mcts", tokens, 500, best=[1, 0, 0, 1]) for tokens in (510.0, 520.0)]
    (chosen,) = comparison_cells.select(lines, REQUEST, {"mcts": CONTENDERS["mcts"]}, [0])
    assert chosen.cell.cost.tokens == 520.0


def test_bar_is_not_chosen_while_a_seed_is_missing() -> None:
    cells = [stored(name, 1000.0, 1000, seed=seed, best=[1, 0, 0, 0]) for name in ("mcts", "dvts") for seed in (0, 1)]
    assert is_measured(cells, ("mcts", "dvts"), (0, 1))
    assert not is_measured(cells[1:], ("mcts", "dvts"), (0, 1)) and not is_measured(cells, ("mcts", "beam"), (0,))


def test_bar_is_chosen_by_validation_among_rivals_that_can_pay() -> None:
    samples = stored("best_of_n", 1000.0, 1000, best=[1, 1, 1, 1], weighted=[1, 0, 0, 0])
    warm = replace(
        samples, cell=replace(samples.cell, strategy="best_of_n_warm", accuracies={"weighted": (1.0, 1.0, 0.0, 0.0)})
    )
    cells = [
        samples,
        warm,
        stored("mcts", 990.0, 1000, best=[1, 0, 0, 0], posterior=[1, 1, 0, 0]),
        stored("dvts", 1500.0, 1000, best=[1, 1, 1, 1]),
    ]
    choice = choose(cells, 1000)
    assert (choice["rival"], choice["reading"], choice["baseline"]) == ("mcts", "posterior", "best_of_n_warm")
    assert choice["accuracies"]["mcts"] == {"best": 0.25, "posterior": 0.5} and choice["tokens"]["dvts"] == 1500.0
