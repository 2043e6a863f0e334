"""Accuracies from hand-made trees."""

from __future__ import annotations

import pytest

from cluster.evaluation import accuracy
from cluster.evaluation.promotion import decide
from cluster.evaluation.records import Measure
from search.data import Cost, Problem, Step, StepStatus
from search.evaluation.voting import Aggregation
from search.grading.grader import grader
from search.tree import ROOT, Tree

PROBLEMS = {name: Problem(name, f"{name}?", "7", "t") for name in ("a", "b", "c")}


def samples(name: str, *solutions: tuple[str | None, int, float | None]) -> Tree:
    """A tree of independent solutions: (answer, how often drawn, score)."""
    tree = Tree(PROBLEMS[name].blind(), strategy="samples", cost=Cost(generated_tokens=100))
    for answer, many, score in solutions:
        first = tree.add(ROOT, Step("think"), multiplicity=many)
        status = StepStatus.NO_ANSWER if answer is None else StepStatus.FINAL
        last = tree.add(first, Step(f"say {answer}", status=status, answer=answer), multiplicity=many)
        tree.nodes[last].score = score
    return tree


def settled(name: str, answer: str | None) -> Tree:
    return Tree(PROBLEMS[name].blind(), strategy="mcts", answer=answer, cost=Cost(generated_tokens=50))


def test_single_counts_a_missing_tree_as_wrong() -> None:
    trees = [settled("a", "7.0"), settled("b", "8")]
    right = accuracy.single(trees, PROBLEMS, grader())
    assert right == {"a": 1.0, "b": 0.0, "c": 0.0}
    found = accuracy.measured(right, trees, 2.0)
    assert (found.accuracy, found.n, found.tokens, found.seconds) == (pytest.approx(1 / 3), 3, 100, 2.0)
    assert found.low < 1 / 3 < found.high


def test_majority_merges_equal_answers_and_shares_ties() -> None:
    trees = [
        samples("a", ("7", 1, None), ("14/2", 1, None), ("9", 1, None), (None, 5, None)),  # 2 of 3 answers are right
        samples("b", ("7", 2, None), ("8", 2, None)),  # a tie: half a win
        samples("c", (None, 4, None)),
    ]
    right = accuracy.majority(trees, PROBLEMS, grader())
    assert right == {"a": 1.0, "b": 0.5, "c": 0.0}
    assert accuracy.measured(right, trees, 1.0).tokens == 300


def test_best_of_prefers_the_score_and_never_the_unfinished() -> None:
    trees = [
        samples("a", ("7", 1, -0.9), (None, 7, None)),
        samples("b", ("7", 1, 0.2), ("8", 3, 0.1)),
        samples("c", ("8", 1, 0.5), ("7", 3, 0.4)),
    ]
    assert accuracy.best_of(trees, PROBLEMS, grader(), 8) == {"a": 1.0, "b": 1.0, "c": 0.0}
    # k = 1 is the share of right samples
    assert accuracy.best_of(trees, PROBLEMS, grader(), 1) == {"a": 1 / 8, "b": 1 / 4, "c": 3 / 4}


def test_best_of_by_the_product_of_all_steps() -> None:
    """Last rewards prefer 8; with probabilities (1 + r) / 2 it is 0.9 * 0.6 = 0.54 for 7 and 0.2 * 0.9 = 0.18 for 8."""
    tree = samples("a", ("7", 1, 0.2), ("8", 1, 0.8))
    tree.nodes[1].score, tree.nodes[3].score = 0.8, -0.6
    one = {"a": PROBLEMS["a"]}
    assert accuracy.best_of([tree], one, grader(), 2) == {"a": 0.0}
    assert accuracy.best_of([tree], one, grader(), 2, how=Aggregation.PRODUCT) == {"a": 1.0}


def test_best_of_with_the_scores_of_another_model() -> None:
    tree = samples("b", ("7", 1, 0.2), ("8", 3, 0.1))
    ends = list(tree.terminals())
    other = {"b": {ends[0]: -0.5, ends[1]: 0.9}}
    assert accuracy.best_of([tree], {"b": PROBLEMS["b"]}, grader(), 4, other) == {"b": 0.0}


def test_a_lead_is_taken_on_the_problems_of_both() -> None:
    found = accuracy.lead({"a": 1.0, "b": 0.5, "c": 1.0}, {"b": 0.0, "a": 1.0, "d": 1.0})
    assert (found.mean, found.n) == (0.25, 2)
    assert (found.low, found.high) == (0.0, 0.5)


def test_promotion_needs_no_worse() -> None:
    def measured(accuracy: float) -> Measure:
        return Measure(accuracy, 0.0, 1.0, 100, 0)

    assert decide("policy", "greedy", measured(0.5), measured(0.5), 0.0).promoted
    assert not decide("policy", "greedy", measured(0.49), measured(0.5), 0.0).promoted
    assert decide("policy", "greedy", measured(0.49), measured(0.5), 0.01).promoted
    assert decide("reward_model", "best_of_n", measured(0.0), None, 0.0).promoted
