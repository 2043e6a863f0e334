"""What is read from the trees of a search, and what they cost."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from cluster.evaluation.cells import Cell, Setting, read_accuracies
from cluster.evaluation.costs import count_parameters, mean_cost, mean_latency, problem_cost
from search.data import Aggregation, Cost, Problem, Step, StepStatus
from search.grading.grader import grader
from search.serialization import load_value
from search.tree import ROOT, Tree
from tests.cluster.evaluation.made_up_comparison import cell
from tests.fakes.tiny_model import safetensors_bytes

A, B, C = (Problem(id=name, question="?", answer="1", source="test") for name in "abc")


def tree_of(
    problem: Problem, *answers: str, strategy: str = "sampling", logit: float | None = None, number: int = 0
) -> Tree:
    tree = Tree(problem.without_answer(), strategy=strategy, number=number)
    for index, answer in enumerate(answers):
        end = tree.add(ROOT, Step(f"{index}", status=StepStatus.FINAL, answer=answer))
        tree.nodes[end].logit = None if logit is None else logit - index
    return tree


def read(trees: list[Tree], *problems: Problem) -> dict[str, tuple[float, ...]]:
    return read_accuracies(trees, problems, Aggregation.LAST, grader())


def test_unscored_samples_are_read_by_majority_alone() -> None:
    assert read([tree_of(A, "1", "2"), tree_of(B, "1", "1", "3")], A, B, C) == {
        "majority": (0.5, 1.0, 0.0),  # a problem without a tree counts as incorrect
        "coverage": (1.0, 1.0, 0.0),
    }


def test_scored_trees_are_read_by_every_rule() -> None:
    read_by = read([tree_of(A, "2", "1", "1", logit=3.0, strategy="mcts")], A)
    assert read_by == {"best": (0.0,), "weighted": (1.0,), "posterior": (0.0,), "majority": (1.0,), "coverage": (1.0,)}


def test_one_solution_needs_no_score() -> None:
    assert set(read([tree_of(A, "1")], A)) == {"best", "weighted", "posterior", "majority", "coverage"}


def test_strategy_with_a_rule_of_its_own_is_read_by_it_too() -> None:
    tree = tree_of(A, "2", "1", "2", strategy="rstar")
    tree.answer = "1"
    assert read([tree], A) == {"majority": (0.0,), "coverage": (1.0,), "strategy": (1.0,)}


def test_trees_of_one_problem_are_read_together() -> None:
    trees = [tree_of(A, "2", "1"), tree_of(A, "1", "3", number=1)]
    assert read(trees, A)["majority"] == (1.0,)


def test_cost_counts_what_no_cache_held_and_both_models() -> None:
    tree = tree_of(A, "1")
    tree.cost = Cost(
        generated_tokens=100, prompt_tokens=50, cached_tokens=20, scored_tokens=70, scored_cached_tokens=40, requests=5,
        reward_model_requests=2, scored_states=6, executions=3, seconds=9.0,
    )  # fmt: skip
    cost = problem_cost([tree, tree], 4, 8.0, {"policy": 10**6, "reward_model": 10**5}, 0.7)
    assert (cost.tokens, cost.prompt_tokens, cost.scored_tokens) == (50, 15, 15)
    assert (cost.requests, cost.reward_model_requests, cost.scored_states, cost.executions) == (2.5, 1, 3, 1.5)
    assert (cost.policy_flops, cost.reward_model_flops) == (2e6 * 65, 2e5 * 15) and cost.flops == 133e6
    assert (cost.seconds, cost.latency) == (2.0, 0.7)
    unknown = problem_cost([tree], 1, 1.0, {"policy": None}, None)
    assert unknown.policy_flops is None and unknown.flops is None
    assert mean_cost([cost, unknown]).flops is None and mean_cost([cost, unknown]).latency == 0.7


def test_latency_is_that_of_the_slowest_tree_of_a_problem() -> None:
    trees = [tree_of(A, "1"), tree_of(A, "1", number=1), tree_of(B, "1")]
    for tree, seconds in zip(trees, (1.0, 3.0, 5.0), strict=True):
        tree.cost = Cost(seconds=seconds)
    assert mean_latency(trees) == 4.0 and mean_latency([]) is None


def test_cost_of_trees_stored_before_calls_were_counted_is_read() -> None:
    old = {"generated_tokens": 5, "requests": 2, "scored_tokens": 3}
    assert load_value(Cost, old) == Cost(generated_tokens=5, requests=2, scored_tokens=3)


def test_parameters_are_counted_from_the_headers(tmp_path: Path) -> None:
    assert count_parameters(str(tmp_path)) is None and count_parameters("https://a-server") is None
    (tmp_path / "model.safetensors").write_bytes(safetensors_bytes({"a": 12, "b": 5}))
    assert count_parameters(str(tmp_path)) == 17


def test_cell_survives_json() -> None:
    stored = cell("mcts", 500, {"best": (1.0, 0.5)}, validation={"best": 0.3})
    assert load_value(Cell, json.loads(json.dumps(asdict(stored)))) == stored


@pytest.mark.parametrize(
    ("validation", "reading"),
    [
        ({"best": 0.3, "weighted": 0.5, "coverage": 0.9}, "weighted"),
        ({"best": 0.5, "weighted": 0.5}, "best"),
        ({}, "majority"),
    ],
)
def test_setting_has_the_best_reading_of_validation(validation: dict[str, float], reading: str) -> None:
    setting = Setting(budget=1, option=None, value=None, spend=1.0, is_reached=True, validation=validation)
    assert setting.reading == reading
