"""A whole comparison on made-up searches: budgets met before measuring, cells as stages, all read again from the trees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.cli import main
from cluster.config.run_config import RunConfig
from cluster.evaluation import compare as comparing
from cluster.evaluation import contenders
from cluster.evaluation.stored_comparison import Comparison, read_comparison
from cluster.run.directory import RunDir, open_run
from cluster.run.models import Models
from search.data import ModelRef, Problem
from search.errors import UserError
from tests.cluster.evaluation import made_up_comparison
from tests.cluster.evaluation.made_up_comparison import PROBLEMS

CONFIG: dict[str, Any] = {
    "name": "c",
    "problems": {"train": {"name": "curriculum", "count": 2}},
    "compare": {
        "budgets": [500, 1000],
        "repeats": 2,
        "latency_problems": 2,
        "strategies": {
            "greedy": {"settings": {"strategy": "sampling", "candidates": 1}, "scale": None},
            "majority": {"settings": {"strategy": "sampling", "candidates": 4}},
            "best_of_n": {"settings": {"strategy": "best_of_n", "candidates": 4}},
            "mcts": {"settings": {"rollouts": 50}, "scale": "budget_tokens"},
        },
    },
}
VALIDATION = tuple(replace(problem, id=f"p{10 + number}") for number, problem in enumerate(PROBLEMS))
MODELS = Models(
    base=ModelRef("policy", "/base"),
    policy=ModelRef("policy", "/policy"),
    reward_model=ModelRef("reward_model", "/ppm", kind="ppm"),
)


class NoRunner:
    """Stands for the runner of searches, which made-up ones do not need."""

    def __init__(self, context: object) -> None:
        pass

    def __enter__(self) -> NoRunner:
        return self

    def __exit__(self, *error: object) -> None:
        pass


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace searches by made-up ones; the list gets the label of each."""
    labels: list[str] = []

    def run_search(runner: object, plan: Any, directory: Path) -> Any:
        labels.append(plan.label)
        return made_up_comparison.run_search(runner, plan, directory)

    monkeypatch.setattr(comparing, "SearchRunner", NoRunner)
    monkeypatch.setattr(comparing, "run_search", run_search)
    monkeypatch.setattr(contenders, "run_search", run_search)
    return labels


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDir]:
    config = RunConfig.model_validate(CONFIG)
    with open_run(tmp_path / "run", config.resolved(), seed=0, command="test") as run:
        yield run


def compare(run: RunDir, problems: tuple[Problem, ...] = PROBLEMS, split: str = "heldout") -> Comparison:
    sets = SimpleNamespace(validation=VALIDATION, train=())
    context: Any = SimpleNamespace(config=RunConfig.model_validate(CONFIG), run=run, problems=sets)
    return comparing.compare(context, MODELS, problems, split)


def test_budgets_are_met_before_measured_problems_are_searched(run: RunDir, searches: list[str]) -> None:
    comparison = compare(run)
    calibrations = [label for label in searches if "calibration" in label]
    assert searches[: len(calibrations)] == calibrations
    settings = {(cell.strategy, cell.budgets): cell.setting.value for cell in comparison.cells}
    assert settings == {
        ("greedy", (500,)): None,
        ("majority", (500,)): 5,
        ("majority", (1000,)): 10,
        ("best_of_n", (500,)): 5,
        ("best_of_n", (1000,)): 10,
        ("mcts", (500,)): 500,
        ("mcts", (1000,)): 1000,
    }
    assert {cell.cost.tokens for cell in comparison.cells} == {100, 500, 1000}
    mcts = next(cell for cell in comparison.cells if cell.strategy == "mcts")
    assert set(mcts.setting.validation) == set(mcts.accuracies) and mcts.setting.reading in mcts.accuracies
    assert (mcts.cost.scored_states, mcts.cost.reward_model_requests, mcts.cost.seconds) == (5, 1, 2.0 / 6)


def test_latency_is_measured_with_one_problem_in_flight(run: RunDir, searches: list[str]) -> None:
    comparison = compare(run)
    assert {(cell.repeat, cell.cost.latency) for cell in comparison.cells} == {(0, 0.5), (1, None)}
    assert searches.count("best_of_n, 500 tokens, seed 0, one at a time") == 2


def test_finished_stages_are_not_searched_again(run: RunDir, searches: list[str]) -> None:
    first = compare(run)
    searches.clear()
    assert compare(run) == first and searches == []


def test_all_answers_are_read_again_from_the_trees(run: RunDir, searches: list[str]) -> None:
    """A stored accuracy is changed: the trees decide."""
    first = compare(run)
    stage = run.stage("compare/mcts/500-0")
    facts = {name: value for name, value in stage.facts().items() if name != "finished"}
    facts["cell"]["accuracies"] = {"best": [0.0] * len(PROBLEMS)}
    stage.path.rename(stage.partial)
    (stage.partial / "done.json").unlink()
    stage.finish(facts)
    again = read_comparison(run.root)
    key = ("strategy", "budgets", "repeat")
    assert sorted(again.cells, key=str) == sorted(first.cells, key=str) and again.header == first.header
    assert [getattr(again.cells[0], name) for name in key] == ["greedy", (500,), 0]


def test_command_reads_a_run_directory_without_engines(
    run: RunDir, searches: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    compare(run)
    (run.root / "comparison.json").unlink()
    assert main(["compare", str(run.root)]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines()[:-1])) <= 80 and "coverage" in printed
    cells = json.loads((run.root / "comparison.json").read_text())["cells"]
    assert len(cells) == 14 and "<svg" in (run.root / "comparison.html").read_text()
    assert main(["compare", str(run.root), "--compare.repeats=1"]) == 2
    assert "leave out --compare.repeats=1" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["cell", "aggregation"])
def test_cell_of_another_version_is_refused(run: RunDir, searches: list[str], missing: str) -> None:
    compare(run)
    stage = run.stage("compare/mcts/500-0")
    facts = {name: value for name, value in stage.facts().items() if name not in ("finished", missing)}
    stage.path.rename(stage.partial)
    (stage.partial / "done.json").unlink()
    stage.finish(facts)
    with pytest.raises(UserError, match=r"compare/mcts/500-0 holds no cell as this RayStar writes it: compare again"):
        read_comparison(run.root)


def test_other_problems_or_models_are_refused(run: RunDir, searches: list[str]) -> None:
    compare(run)
    with pytest.raises(UserError, match=r"was made from something else: .*ids"):
        compare(run, PROBLEMS[:2])
    with pytest.raises(UserError, match=r"problems.train is empty"):
        compare(run, PROBLEMS, "validation")


def test_directory_without_a_comparison_is_refused(run: RunDir) -> None:
    with pytest.raises(UserError, match="holds no finished search of raystar compare"):
        read_comparison(run.root)
