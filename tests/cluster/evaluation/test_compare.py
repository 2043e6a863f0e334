"""Comparing strategies: what each may spend, what the searches come to, and how it is shown. No search runs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cluster.config.compare_config import CompareConfig, Contender
from cluster.config.run_config import EvaluationConfig
from cluster.evaluation.compare import Entry, _entry, _right
from cluster.report import comparison
from search.config import SearchConfig
from search.data import Problem, Step, StepStatus
from search.tree import ROOT, Tree

BASE = EvaluationConfig().search


def test_a_contender_grows_with_its_budget_on_top_of_the_measured_search() -> None:
    base = SearchConfig(max_depth=7, temperature=0.3)
    mcts = Contender(settings={"rollouts": 2, "temperature": 1.0}, scale="rollouts")
    found = mcts.search(base, 1500, 500)
    assert (found.rollouts, found.budget_tokens, found.max_depth, found.temperature) == (6, 1500, 7, 1.0)
    assert Contender(settings={"candidates": 1}).search(base, 1500, 500).candidates == 1


def test_the_default_contenders_are_searches_and_greedy_spends_the_same_at_every_budget() -> None:
    config = CompareConfig()
    config.check(BASE)
    greedy = config.strategies["greedy"]
    first, last = (greedy.search(BASE, budget, 500) for budget in (500, 2000))
    assert first.model_copy(update={"budget_tokens": 2000}) == last
    assert {contender.search(BASE, 500, 500).strategy for contender in config.strategies.values()} == {
        "samples", "best_of", "beam", "dvts", "mcts",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"strategies": {"x": {"settings": {"rolouts": 3}}}, "against": "x"}, "compare.strategies.x: rolouts"),
        ({"strategies": {"x": {}}, "against": "y"}, "compare.against is 'y': one of x"),
        ({"budgets": (500, 500)}, "budgets must rise"),
    ],
)
def test_what_cannot_be_compared_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CompareConfig.model_validate(fields).check(BASE)


def sampled(problem: Problem, *answers: str) -> Tree:
    tree = Tree(problem, strategy="samples", seed=0)
    for answer in answers:
        tree.add(ROOT, Step(answer, status=StepStatus.FINAL, answer=answer))
    return tree


def test_a_tied_majority_is_shared_and_a_problem_without_a_tree_is_wrong() -> None:
    a, b, c = (Problem(name, "?", "1", "test") for name in "abc")
    searched = Tree(b, strategy="mcts", seed=0)
    searched.answer = "1"
    assert _right([sampled(a, "1", "2")], (a, c), "samples") == [0.5, 0.0]
    assert _right([searched], (b, c), "mcts") == [1.0, 0.0]


def entries() -> list[Entry]:
    def facts(right: list[float], tokens: int) -> dict[str, Any]:
        return {"right": right, "tokens": tokens, "searching": 8.0}

    cells = {
        ("best_of", 500, 0): facts([1, 0, 0, 0], 1800),
        ("best_of", 500, 1): facts([1, 1, 0, 0], 2000),
        ("a-strategy-of-mine", 500, 0): facts([1, 1, 1, 0], 2200),
        ("a-strategy-of-mine", 500, 1): facts([1, 1, 1, 0], 2000),
    }
    return [_entry("best_of", name, 500, cells) for name in ("best_of", "a-strategy-of-mine")]


def test_an_entry_has_the_mean_over_seeds_and_the_paired_difference() -> None:
    best, mine = entries()
    assert (best.accuracy.mean, best.accuracy.n, best.seeds) == (0.375, 4, (0.25, 0.5))
    assert (best.difference.mean, best.difference.low, best.difference.high) == (0.0, 0.0, 0.0)
    assert (mine.accuracy.mean, mine.difference.mean) == (0.75, 0.375)
    assert (mine.tokens, mine.seconds) == (525.0, 2.0)
    assert mine.difference.low <= 0.375 <= mine.difference.high


def test_the_table_fits_80_columns_and_the_page_stands_alone(tmp_path: Path) -> None:
    out = io.StringIO()
    Console(file=out, width=80).print(comparison.table(entries(), "best_of"))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert len(lines) == 3 and max(map(len, lines)) <= 80
    assert lines[2].split()[:3] == ["a-strategy-of-mine", "500", "75.0"]
    page = comparison.write(tmp_path, entries(), "best_of", "4 <problems>").read_text()
    assert page.count("<svg") == 2 and "4 &lt;problems&gt;" in page and "http" not in page.replace("xmlns", "")
    assert json.dumps("75.0")[1:-1] in page
