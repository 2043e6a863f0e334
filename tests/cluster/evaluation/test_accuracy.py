"""Compute accuracies from hand-made trees, and decide on promotion."""

from __future__ import annotations

import math

import pytest

from cluster.evaluation import accuracy
from cluster.evaluation.promotion import decide
from cluster.evaluation.records import Measure
from search.data import Aggregation, Cost, Problem, Step, StepStatus
from search.grading.grader import grader
from search.tree import ROOT, Tree

PROBLEMS = {name: Problem(id=name, question=f"{name}?", answer="7", source="t") for name in ("a", "b", "c")}


def sample_tree(name: str, *solutions: tuple[str | None, int, float | None]) -> Tree:
    """Return a tree of independent solutions, each (answer, multiplicity, score)."""
    tree = Tree(PROBLEMS[name].without_answer(), strategy="sampling", cost=Cost(generated_tokens=100))
    for answer, multiplicity, score in solutions:
        first = tree.add(ROOT, Step("think"), multiplicity=multiplicity)
        status = StepStatus.NO_ANSWER if answer is None else StepStatus.FINAL
        last = tree.add(first, Step(f"say {answer}", status=status, answer=answer), multiplicity=multiplicity)
        tree.nodes[last].logit = None if score is None else math.atanh(score)
    return tree


def answered_tree(name: str, answer: str | None) -> Tree:
    return Tree(PROBLEMS[name].without_answer(), strategy="mcts", answer=answer, cost=Cost(generated_tokens=50))


def test_problem_without_tree_counts_as_incorrect() -> None:
    trees = [answered_tree("a", "7.0"), answered_tree("b", "8")]
    accuracies = accuracy.answer_accuracies(trees, PROBLEMS, grader())
    assert accuracies == {"a": 1.0, "b": 0.0, "c": 0.0}
    measure = accuracy.measure(accuracies, trees, 2.0)
    assert (measure.accuracy, measure.n, measure.tokens, measure.seconds) == (pytest.approx(1 / 3), 3, 100, 2.0)
    assert measure.low < 1 / 3 < measure.high


def test_trees_are_grouped_by_problem_in_their_order() -> None:
    first, other, second = sample_tree("a"), sample_tree("b"), sample_tree("a")
    groups = accuracy.trees_by_problem([first, other, second], PROBLEMS.values())
    assert groups == {"a": [first, second], "b": [other], "c": []}


def test_majority_merges_equal_answers_and_shares_ties() -> None:
    trees = [
        sample_tree(
            "a", ("7", 1, None), ("14/2", 1, None), ("9", 1, None), (None, 5, None)
        ),  # 2 of 3 answers are correct
        sample_tree("b", ("7", 2, None), ("8", 2, None)),  # a tie: half a win
        sample_tree("c", (None, 4, None)),
    ]
    accuracies = accuracy.majority_accuracies(trees, PROBLEMS, grader())
    assert accuracies == {"a": 1.0, "b": 0.5, "c": 0.0}
    assert accuracy.measure(accuracies, trees, 1.0).tokens == 300


def test_best_of_n_prefers_the_highest_score_of_finished_samples() -> None:
    trees = [
        sample_tree("a", ("7", 1, -0.9), (None, 7, None)),
        sample_tree("b", ("7", 1, 0.2), ("8", 3, 0.1)),
        sample_tree("c", ("8", 1, 0.5), ("7", 3, 0.4)),
    ]
    assert accuracy.best_of_n_accuracies(trees, PROBLEMS, grader(), 8) == {"a": 1.0, "b": 1.0, "c": 0.0}
    # n = 1 is the share of correct samples
    assert accuracy.best_of_n_accuracies(trees, PROBLEMS, grader(), 1) == {"a": 1 / 8, "b": 1 / 4, "c": 3 / 4}


def test_best_of_n_aggregates_step_scores_by_product() -> None:
    """Last rewards prefer 8; with probabilities (1 + r) / 2 it is 0.9 * 0.6 = 0.54 for 7 and 0.2 * 0.9 = 0.18 for 8."""
    tree = sample_tree("a", ("7", 1, 0.2), ("8", 1, 0.8))
    tree.nodes[1].logit, tree.nodes[3].logit = math.atanh(0.8), math.atanh(-0.6)
    problems = {"a": PROBLEMS["a"]}
    assert accuracy.best_of_n_accuracies([tree], problems, grader(), 2) == {"a": 0.0}
    assert accuracy.best_of_n_accuracies([tree], problems, grader(), 2, aggregation=Aggregation.PRODUCT) == {"a": 1.0}


def test_best_of_n_uses_the_scores_of_another_model() -> None:
    tree = sample_tree("b", ("7", 1, 0.2), ("8", 3, 0.1))
    terminals = list(tree.terminals())
    other = {"b": {terminals[0]: (-0.5,), terminals[1]: (0.9,)}}
    assert accuracy.best_of_n_accuracies([tree], {"b": PROBLEMS["b"]}, grader(), 4, other) == {"b": 0.0}


def test_margin_is_over_shared_problems() -> None:
    margin = accuracy.margin({"a": 1.0, "b": 0.5, "c": 1.0}, {"b": 0.0, "a": 1.0, "d": 1.0})
    assert (margin.mean, margin.n) == (0.25, 2)
    assert (margin.low, margin.high) == (0.0, 0.5)


def test_promotion_needs_accuracy_within_tolerance() -> None:
    def measure(accuracy: float) -> Measure:
        return Measure(accuracy=accuracy, low=0.0, high=1.0, n=100, tokens=0)

    assert decide("policy", "greedy", measure(0.5), measure(0.5), 0.0).promoted
    assert not decide("policy", "greedy", measure(0.49), measure(0.5), 0.0).promoted
    assert decide("policy", "greedy", measure(0.49), measure(0.5), 0.01).promoted
    assert decide("reward_model", "best_of_n", measure(0.0), None, 0.0).promoted


def test_large_logits_do_not_tie_and_equal_ones_are_counted() -> None:
    trees = [sample_tree("b", ("7", 1, 0.0), ("8", 1, 0.0)) for _ in range(2)]
    for tree, logits in zip(trees, ((30.0, 25.0), (25.0, 25.0)), strict=True):
        for index, logit in zip(tree.terminals(), logits, strict=True):
            tree.nodes[index].logit = logit
    problems = {"b": PROBLEMS["b"]}
    best = [accuracy.best_of_n_accuracies([tree], problems, grader(), 2) for tree in trees]
    assert best == [{"b": 1.0}, {"b": 0.5}]
    assert [accuracy.count_ties([tree]) for tree in trees] == [0, 1]
    assert accuracy.measure(best[1], [trees[1]], 1.0, ties=1).ties == 1
