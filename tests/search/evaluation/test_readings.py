"""Read the answers of stored trees by every rule, by hand."""

from __future__ import annotations

import math

import pytest

from search.data import Aggregation, Step, StepStatus
from search.evaluation.readings import (
    COVERAGE,
    READINGS,
    are_scored,
    expected_accuracies,
    read_trees_of_problem,
    strongest_answers,
    vote_weights,
)
from search.evaluation.solutions import FinishedSolution, finished_solutions, path_share
from search.strategies.registry import STRATEGIES
from search.tree import ROOT, Tree
from tests.fakes.words import PROBLEM

LAST = Aggregation.LAST


def log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def tree_of(*solutions: tuple[str | None, float | None, int], strategy: str = "best_of_n") -> Tree:
    """Return a tree with a solution a branch: answer, probability by the reward model, multiplicity."""
    tree = Tree(PROBLEM, strategy=strategy)
    for number, (answer, probability, multiplicity) in enumerate(solutions):
        first = tree.add(ROOT, Step(f"think {number}"), multiplicity=multiplicity)
        status = StepStatus.NO_ANSWER if answer is None else StepStatus.FINAL
        end = tree.add(first, Step("end", status=status, answer=answer), multiplicity=multiplicity)
        tree.nodes[end].logit = None if probability is None else log_odds(probability) / 2
    return tree


def is_seven(answer: str) -> bool:
    return answer in ("7", "7.0", "14/2")


def read(*trees: Tree) -> dict[str, float]:
    return read_trees_of_problem(trees, LAST, is_seven)


def test_readings_by_hand_when_the_rules_disagree() -> None:
    """Majority 7 (2 of 3). Weighted 8: 0.9 against 0.8. Posterior: 2 * 1/3 * sqrt(0.4/0.6) = 0.54 against 1/3 * 3 = 1."""
    tree = tree_of(("7", 0.4, 1), ("7.0", 0.4, 1), ("8", 0.9, 1))
    assert read(tree) == {"best": 0, "weighted": 0, "posterior": 0, "majority": 1, "coverage": 1}
    tree = tree_of(("7", 0.4, 3), ("8", 0.9, 1), ("9", 0.1, 1))  # weighted 1.2, posterior 3 * 0.816 = 2.4 against 3
    assert read(tree) == {"best": 0, "weighted": 1, "posterior": 0, "majority": 1, "coverage": 1}
    tree = tree_of(("7", 0.4, 4), ("8", 0.9, 1))  # posterior 4 * 0.816 = 3.3 against 3
    assert read(tree)["posterior"] == 1


def test_equally_strong_answers_share_the_win_in_every_reading() -> None:
    tied = tree_of(("7", 0.5, 2), ("8", 0.5, 2), (None, None, 5))
    assert read(tied) == {"best": 0.5, "weighted": 0.5, "posterior": 0.5, "majority": 0.5, "coverage": 1}
    three = tree_of(("7", 0.5, 1), ("8", 0.5, 1), ("9", 0.5, 1))
    assert [read(three)[reading] for reading in READINGS] == pytest.approx([1 / 3] * 4)
    unequal = tree_of(("7", 0.5, 3), ("8", 0.5, 1))  # answers share, however often each was drawn
    assert read(unequal)["best"] == 0.5 and read(unequal)["majority"] == 1


def test_coverage_tells_what_is_missing_from_what_is_not_chosen() -> None:
    assert read(tree_of(("8", 0.9, 5), ("7", 0.1, 1)))["coverage"] == 1
    assert read(tree_of(("8", 0.9, 5), (None, None, 3))) == dict.fromkeys((*READINGS, COVERAGE), 0)
    assert read(Tree(PROBLEM)) == read() == dict.fromkeys((*READINGS, COVERAGE), 0)


def test_answers_that_algebra_finds_equal_count_as_one() -> None:
    """6 is most frequent alone; the two spellings of one value have as many votes together."""
    pair = ("\\ln 2 + \\ln 3", "\\ln 6")
    solutions = finished_solutions([tree_of((pair[0], 0.5, 1), (pair[1], 0.5, 1), ("6", 0.5, 2))], LAST)

    def same_value(first: str, second: str) -> bool:
        return {first, second} == set(pair)

    accuracies = expected_accuracies(solutions, lambda answer: answer in pair, same_value)
    assert (accuracies["majority"], accuracies["best"]) == (0.5, 0.5)
    apart = expected_accuracies(solutions, lambda answer: answer in pair, lambda first, second: False)
    assert apart["majority"] == 0.0 and apart["best"] == pytest.approx(2 / 3)


def test_several_trees_of_a_problem_are_read_together() -> None:
    first, second = tree_of(("7", 0.6, 1), ("8", 0.7, 1)), tree_of(("7", 0.6, 1), ("9", 0.65, 1))
    assert read(first)["weighted"] == 0 and read(second)["weighted"] == 0
    assert read(first, second) == {"best": 0, "weighted": 1, "posterior": 1, "majority": 1, "coverage": 1}


def test_every_strategy_is_read_and_grades_are_not() -> None:
    for strategy in STRATEGIES:
        tree = tree_of(("8", 0.9, 1), ("7", 0.8, 1), strategy=strategy)
        for index in tree.terminals():
            tree.nodes[index].correct = tree.nodes[index].answer == "7"
        assert read(tree)["best"] == 0 and read(tree)["coverage"] == 1


def test_aggregation_of_step_rewards_decides_best() -> None:
    """By the last step 8 is best; by product 0.9 * 0.6 = 0.54 for 7 and 0.2 * 0.9 = 0.18 for 8."""
    tree = tree_of(("7", 0.6, 1), ("8", 0.9, 1))
    tree.nodes[1].logit, tree.nodes[3].logit = log_odds(0.9) / 2, log_odds(0.2) / 2
    assert read_trees_of_problem([tree], Aggregation.LAST, is_seven)["best"] == 0
    assert read_trees_of_problem([tree], Aggregation.PRODUCT, is_seven)["best"] == 1


def test_large_logits_do_not_tie() -> None:
    tree = tree_of(("7", 0.5, 1), ("8", 0.5, 1))
    tree.nodes[2].logit, tree.nodes[4].logit = 30.0, 25.0
    assert [read(tree)[reading] for reading in ("best", "weighted", "posterior")] == [1, 1, 1]


def test_scores_are_missing_only_where_answers_differ() -> None:
    def solutions(tree: Tree) -> list[FinishedSolution]:
        return finished_solutions([tree], LAST)

    assert are_scored(solutions(tree_of(("7", 0.5, 1), ("8", 0.5, 1), (None, None, 1))))
    assert not are_scored(solutions(tree_of(("7", 0.5, 1), ("8", None, 1))))
    assert are_scored(solutions(tree_of(("7", None, 3)))) and are_scored([])


def test_vote_weights_are_in_proportion() -> None:
    tree = tree_of(("7", 0.75, 2), ("8", 0.25, 1))
    solutions = finished_solutions([tree], LAST)
    weighted, posterior = vote_weights(solutions, "weighted"), vote_weights(solutions, "posterior")
    assert weighted[0] / weighted[1] == pytest.approx(2 * 0.75 / 0.25)
    assert posterior[0] / posterior[1] == pytest.approx(2 * math.sqrt(3) / math.sqrt(1 / 3))  # sqrt of the odds
    assert vote_weights(solutions, "majority") == [2, 1]
    assert math.exp(solutions[0].log_share) == pytest.approx(path_share(tree, 2)) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="'best' is no vote"):
        vote_weights(solutions, "best")
    assert strongest_answers(["7", "8"], solutions, "best") == ["7"]
