"""Q, U and the choice between rollouts, by hand."""

from __future__ import annotations

import math

import pytest

from search.data import Step
from search.strategies.labelling.rollout_pool import PoolWeights, Rollout, exploration, rollout_value, select_rollout
from search.tree import Tree
from tests.fakes.words import PROBLEM

PAPER = PoolWeights()


def tree_of(*states: tuple[float, int]) -> Tree:
    """Return a tree with a state for each MC and N."""
    tree = Tree(PROBLEM)
    for share, visits in states:
        tree.add(0, Step("a"), label=share, visits=visits)
    return tree


def test_rollout_value_by_hand() -> None:
    # alpha^(1 - MC) * beta^(tokens / L) with 0.5, 0.9, 500
    assert rollout_value(0.75, 250, PAPER) == pytest.approx(0.8408964 * 0.9486833)
    assert rollout_value(1.0, 0, PAPER) == 1.0
    assert rollout_value(0.0, 1000, PAPER) == pytest.approx(0.5 * 0.81)
    assert rollout_value(0.5, 100, PoolWeights(alpha=0.25, beta=0.5, length_scale=100)) == pytest.approx(0.5 * 0.5)


def test_exploration_by_hand() -> None:
    assert exploration(1, 4, PAPER) == pytest.approx(0.125 * 2 / 2)
    assert exploration(0, 4, PAPER) == pytest.approx(0.25)
    assert exploration(3, 4, PoolWeights(c_puct=2.0)) == pytest.approx(1.0)
    assert exploration(0, 0, PAPER) == 0.0


def test_likely_state_is_selected_before_a_visited_one() -> None:
    tree = tree_of((0.5, 0), (0.75, 0))
    unlikely, likely = Rollout(1, 9, 30), Rollout(2, 9, 30)
    assert select_rollout(tree, [unlikely, likely], PAPER) is likely
    tree.nodes[2].visits = 4
    # 0.7071 * 0.9937 + 0.125 * 2 = 0.9527 against 0.8409 * 0.9937 + 0.125 * 2 / 5 = 0.8856
    assert select_rollout(tree, [unlikely, likely], PAPER) is unlikely


def test_shorter_rollout_is_selected_when_all_else_is_equal() -> None:
    tree = tree_of((0.5, 0), (0.5, 0))
    long, short, same = Rollout(1, 7, 300), Rollout(1, 8, 200), Rollout(2, 9, 200)
    assert select_rollout(tree, [long, short, same], PAPER) is short  # of equal ones the first


def test_all_visits_of_the_tree_count() -> None:
    tree = tree_of((0.5, 0), (0.5, 9))
    tree.nodes[0].visits = 7
    priority = 0.5**0.5 * 0.9 ** (30 / 500) + 0.125 * math.sqrt(16)
    rival = 0.5 ** (1 - 0.99) + 0.125 * math.sqrt(16) / 10
    assert priority > rival  # with the 9 visits alone it would be 1.0781 against 1.0306, with 16 it is 1.2026
    tree.nodes[2].label = 0.99
    assert select_rollout(tree, [Rollout(2, 8, 0), Rollout(1, 9, 30)], PAPER).end == 9
