"""Which correct solutions are kept: of which rounds, in which order."""

from __future__ import annotations

import pytest

from search.data import Outcome, Step, Trajectory
from search.tree import Tree
from tests.train.rules.rstar_math.hand_tree import PROBLEM, answer, hand_tree, step
from train.rules.rstar_math.options import RStarMathOptions
from train.rules.rstar_math.trajectories import TrajectoryChoice, deduplicate, has_code_error, trajectories
from train.rules.rstar_math.valued_tree import value_tree

LATEST, ALL = RStarMathOptions(), RStarMathOptions(rounds="all")


def solution(text: str, *values: float) -> Trajectory:
    return Trajectory(
        PROBLEM, (step(text), answer("so 4", "4")), correct=True, q=sum(values) / len(values), values=values
    )


def texts(choice: TrajectoryChoice) -> list[str]:
    return [trajectory.steps[0].text for kept in choice.best() for trajectory in kept.best]


def test_trajectories_carry_the_values_of_their_steps() -> None:
    assert [(each.q, each.values) for each in trajectories(value_tree(hand_tree()[0], LATEST))] == [
        (0.875, (0.75, 1.0)),
        (pytest.approx(-0.4 / 3), (-0.5, -0.9, 1.0)),  # no rollout entered its end, which is correct: 1
    ]


def test_replaced_step_is_not_in_the_trajectory() -> None:
    tree = Tree(PROBLEM, strategy="rstar")
    first = tree.add(0, step("q? 3"), visits=2, value_sum=0.5)
    again = tree.add(first, step("q? 4"), visits=1, value_sum=0.25, replaces_parent=True)
    tree.add(again, answer("so 4", "4"), visits=1, value_sum=0.75, correct=True)
    (trajectory,) = trajectories(value_tree(tree, LATEST))
    assert ([each.text for each in trajectory.steps], trajectory.values, trajectory.q) == (
        ["q? 4", "so 4"],
        (0.25, 0.75),
        0.5,
    )


def test_scores_of_a_reward_model_count_in_q_unless_left_out() -> None:
    tree = Tree(PROBLEM)
    first = tree.add(0, step("a"), visits=4, value_sum=4.0, logit=1.0986122886681098)  # tanh of it is 0.8
    tree.add(first, answer("so 4", "4"), visits=4, value_sum=4.0, correct=True)
    (with_score,) = trajectories(value_tree(tree, LATEST))
    (without_score,) = trajectories(value_tree(tree, ALL, with_score=False))
    assert with_score.values == (pytest.approx((0.8 + 4) / 5), 1.0)
    assert without_score.values == (1.0, 1.0)


def test_latest_round_that_solved_a_problem_is_kept() -> None:
    choice = TrajectoryChoice(LATEST)
    choice.add("p1", 1, [solution("bootstrap", 1.0, 1.0)])
    choice.add("p1", 3, [solution("later", 0.5, 1.0)])
    choice.add("p1", 3, [solution("later, second pass", 0.7, 1.0)])
    choice.add("p1", 4, [])  # searched again without success
    choice.add("p2", 1, [solution("solved once", 0.1, 1.0)])
    assert texts(choice) == ["later, second pass", "later", "solved once"]
    assert (choice.earlier_rounds, choice.problems) == (1, 2)


def test_all_rounds_are_ranked_together_when_wanted() -> None:
    choice = TrajectoryChoice(ALL)
    choice.add("p1", 1, [solution("bootstrap", 1.0, 1.0)])
    choice.add("p1", 3, [solution("later", 0.5, 1.0), solution("later, better", 0.7, 1.0)])
    assert texts(choice) == ["bootstrap", "later, better"]
    assert choice.earlier_rounds == 0
    assert [(kept.identical, kept.beyond_top_k) for kept in choice.best()] == [(0, 1)]


def test_ties_go_to_the_higher_least_q() -> None:
    # Both means are 0.75; the least Q is 0.5 and 0.75.
    uneven, even = solution("uneven", 1.0, 0.5), solution("even", 0.75, 0.75)
    assert deduplicate([uneven, even], LATEST) == [even, uneven]
    assert deduplicate([uneven, even], RStarMathOptions(tie_break="first")) == [uneven, even]


def test_equal_texts_are_kept_once_by_the_best_q() -> None:
    assert deduplicate([solution("x", 0.2, 1.0), solution("x", 0.6, 1.0), solution("y", 0.4, 1.0)], LATEST) == [
        solution("x", 0.6, 1.0),
        solution("y", 0.4, 1.0),
    ]


def test_failed_code_is_found_in_any_step() -> None:
    fine = Trajectory(PROBLEM, (step("x"), answer("4", "4")), correct=True, q=1.0)
    bad = Trajectory(PROBLEM, (Step("x", outcome=Outcome.TIMEOUT), answer("4", "4")), correct=True, q=1.0)
    assert not has_code_error(fine) and has_code_error(bad)
