"""Compare strategies: what each may spend, what the searches come to, and how it is shown. No search runs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cluster.config.compare_config import CompareConfig, ContenderConfig
from cluster.config.run_config import EvaluationConfig
from cluster.evaluation.compare import StrategyResult, _accuracies, _strategy_result
from cluster.report import comparison
from search.data import Problem, Step, StepStatus
from search.strategies.registry import search_config
from search.tree import ROOT, Tree

BASE = EvaluationConfig().search


def test_contender_scales_with_its_budget() -> None:
    base = search_config(max_depth=7, temperature=0.3)
    mcts = ContenderConfig(settings={"rollouts": 2, "temperature": 1.0}, scale="rollouts")
    search: Any = mcts.search(base, 1500, 500)
    assert (search.rollouts, search.budget_tokens, search.max_depth, search.temperature) == (6, 1500, 7, 1.0)
    unscaled: Any = ContenderConfig(settings={"candidates": 1}).search(base, 1500, 500)
    assert unscaled.candidates == 1


def test_default_contenders_are_searches_and_greedy_is_unscaled() -> None:
    config = CompareConfig()
    config.check(BASE)
    greedy = config.strategies["greedy"]
    first, last = (greedy.search(BASE, budget, 500) for budget in (500, 2000))
    assert first.model_copy(update={"budget_tokens": 2000}) == last
    assert {contender.search(BASE, 500, 500).strategy for contender in config.strategies.values()} == {
        "sampling", "best_of_n", "beam", "dvts", "mcts",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"strategies": {"x": {"settings": {"rolouts": 3}}}, "against": "x"}, "compare.strategies.x: .*rolouts"),
        ({"strategies": {"x": {}}, "against": "y"}, "compare.against is 'y': one of x"),
        ({"budgets": (500, 500)}, "budgets must rise"),
    ],
)
def test_impossible_comparison_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CompareConfig.model_validate(fields).check(BASE)


def sample_tree(problem: Problem, *answers: str) -> Tree:
    tree = Tree(problem, strategy="sampling", seed=0)
    for answer in answers:
        tree.add(ROOT, Step(answer, status=StepStatus.FINAL, answer=answer))
    return tree


def test_tied_majority_is_shared_and_missing_tree_is_incorrect() -> None:
    a, b, c = (Problem(id=name, question="?", answer="1", source="test") for name in "abc")
    mcts_tree = Tree(b, strategy="mcts", seed=0)
    mcts_tree.answer = "1"
    assert _accuracies([sample_tree(a, "1", "2")], (a, c), search_config(strategy="sampling")) == [0.5, 0.0]
    assert _accuracies([mcts_tree], (b, c), search_config(strategy="mcts")) == [1.0, 0.0]


def strategy_results() -> list[StrategyResult]:
    def search_facts(accuracies: list[float], tokens: int) -> dict[str, Any]:
        return {"accuracies": accuracies, "tokens": tokens, "search_seconds": 8.0}

    facts = {
        ("best_of_n", 500, 0): search_facts([1, 0, 0, 0], 1800),
        ("best_of_n", 500, 1): search_facts([1, 1, 0, 0], 2000),
        ("a-strategy-of-mine", 500, 0): search_facts([1, 1, 1, 0], 2200),
        ("a-strategy-of-mine", 500, 1): search_facts([1, 1, 1, 0], 2000),
    }
    return [_strategy_result("best_of_n", name, 500, facts) for name in ("best_of_n", "a-strategy-of-mine")]


def test_strategy_result_has_mean_and_paired_difference() -> None:
    best_of_n, mine = strategy_results()
    assert (best_of_n.accuracy.mean, best_of_n.accuracy.n, best_of_n.accuracy_by_seed) == (0.375, 4, (0.25, 0.5))
    difference = best_of_n.difference
    assert (difference.mean, difference.low, difference.high) == (0.0, 0.0, 0.0)
    assert (mine.accuracy.mean, mine.difference.mean) == (0.75, 0.375)
    assert (mine.tokens, mine.seconds) == (525.0, 2.0)
    assert mine.difference.low <= 0.375 <= mine.difference.high


def test_table_fits_80_columns_and_page_is_self_contained(tmp_path: Path) -> None:
    out = io.StringIO()
    Console(file=out, width=80).print(comparison.table(strategy_results(), "best_of_n"))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert len(lines) == 3 and max(map(len, lines)) <= 80
    assert lines[2].split()[:3] == ["a-strategy-of-mine", "500", "75.0"]
    page = comparison.write(tmp_path, strategy_results(), "best_of_n", "4 <problems>").read_text()
    assert page.count("<svg") == 2 and "4 &lt;problems&gt;" in page and "http" not in page.replace("xmlns", "")
    assert json.dumps("75.0")[1:-1] in page
