"""Which siblings and which solutions become pairs, and which leaves count."""

from __future__ import annotations

import pytest

from search.data import Outcome, Step
from search.tree import Tree
from tests.train.rules.rstar_math.hand_tree import PROBLEM, answer, failing, hand_tree, names, pairs_of, step
from train.rules.rstar_math.options import RStarMathOptions
from train.rules.rstar_math.step_pairs import continuation_mean
from train.rules.rstar_math.valued_tree import value_tree


def test_failed_code_is_rejected_only_when_any_end_may_be() -> None:
    tree, _ = hand_tree()
    pairs = pairs_of(tree, rejected="any")
    # c, d and e stand at -1: the first two are taken, and the error d is one of them.
    assert names(pairs.step)[:4] == [": a > c", ": a > d", ": b > c", ": b > d"]
    # Mean Q of the solution d is -1, as that of c: the two worst.
    assert names(pairs.answer) == [": a-a1 > c", ": a-a1 > d", ": b-b1-b11 > c", ": b-b1-b11 > d"]
    assert not any("d" in name for name in names(pairs_of(tree).step + pairs_of(tree).answer))


def test_tree_whose_only_incorrect_ends_failed_gives_no_pairs() -> None:
    tree = Tree(PROBLEM)
    tree.add(0, answer("4", "4"), visits=1, value_sum=1.0, correct=True)
    tree.add(0, failing("1 / 0"))
    assert pairs_of(tree).step == []
    assert names(pairs_of(tree, rejected="any").step) == [": 4 > d"]


def test_what_follows_failed_code_is_no_side_of_a_pair() -> None:
    tree = Tree(PROBLEM)
    tree.add(0, answer("5", "5"), visits=1, value_sum=-1.0, correct=False)
    crashed = tree.add(0, Step("crash", outcome=Outcome.TIMEOUT), visits=1, value_sum=1.0)
    tree.add(crashed, answer("4", "4"), visits=1, value_sum=1.0, correct=True)
    assert pairs_of(tree).step == [] and pairs_of(tree).answer == []
    assert names(pairs_of(tree, rejected="any").step) == [": crash > 5"]


def test_unvisited_ends_stand_at_their_outcome_or_at_zero() -> None:
    tree, node = hand_tree()
    by_outcome = value_tree(tree, RStarMathOptions())
    assert [by_outcome.q[node[name]] for name in ("a3", "b11", "d", "b")] == [-1, 1, -1, -0.5]
    at_zero = value_tree(tree, RStarMathOptions(unvisited_leaves="zero"))
    assert [at_zero.q[node[name]] for name in ("a3", "b11", "d", "b")] == [0, 0, 0, -0.5]


def test_node_is_never_preferred_over_one_of_higher_q() -> None:
    tree, node = hand_tree()
    tree.nodes[node["c"]].value_sum = -0.25  # Q of c is now -0.25, above b
    step_pairs = names(pairs_of(tree).step)
    assert ": a > b" in step_pairs and ": b > e" in step_pairs  # rejected: e (-1), b (-0.5)
    assert ": b > b" not in step_pairs and ": b > c" not in step_pairs


def test_replacing_step_is_in_no_step_pair() -> None:
    tree = Tree(PROBLEM, strategy="rstar")
    first = tree.add(0, step("q? 3"), visits=2, value_sum=0.5)
    again = tree.add(first, step("q? 4"), visits=1, value_sum=0.25, replaces_parent=True)
    tree.add(again, answer("so 4", "4"), visits=1, value_sum=0.75, correct=True)
    tree.add(first, answer("so 3", "3"), visits=1, value_sum=0.0, correct=False)
    assert pairs_of(tree).step == []


def test_sole_rejected_step_gets_up_to_four_preferred() -> None:
    tree = Tree(PROBLEM)
    for index in range(5):
        tree.add(0, answer(f"4 {index}", "4"), visits=1, value_sum=1.0, correct=True)
    tree.add(0, answer("5", "5"), visits=1, value_sum=-1.0, correct=False)
    assert names(pairs_of(tree).step) == [": 4 0 > 5", ": 4 1 > 5"]
    assert names(pairs_of(tree, max_partners=4).step) == [f": 4 {index} > 5" for index in range(4)]


def test_continuation_is_followed_child_by_child() -> None:
    tree, node = hand_tree()
    valued = value_tree(tree, RStarMathOptions())
    # a, then its best child on the way to a correct end, a1: (0.75 + 1) / 2. Its worst continuation is a2: (0.75 - 1) / 2.
    assert continuation_mean(valued, node["a"], best=True) == 0.875
    assert continuation_mean(valued, node["a"], best=False) == -0.125
    # b, b1, b11: (-0.5 - 0.9 + 1) / 3, though b2 has nothing correct below it; worst: b, b2: (-0.5 - 1) / 2.
    assert continuation_mean(valued, node["b"], best=True) == pytest.approx(-0.4 / 3)
    assert continuation_mean(valued, node["b"], best=False) == -0.75


def test_answer_pairs_need_different_prefixes() -> None:
    tree = Tree(PROBLEM)
    a = tree.add(0, step("a"), visits=2, value_sum=0.0)  # Q 0
    b = tree.add(0, step("b"), visits=1, value_sum=0.5)  # Q 0.5
    tree.add(a, answer("4", "4"), correct=True)  # mean (0 + 1) / 2 = 0.5
    tree.add(a, answer("5", "5"), correct=False)  # mean (0 - 1) / 2 = -0.5
    tree.add(b, answer("6", "6"), correct=False)  # mean (0.5 - 1) / 2 = -0.25
    assert names(pairs_of(tree).answer) == [": a-4 > b-6"]  # a-5 begins as a-4 does: siblings, which are a step pair
    assert names(pairs_of(tree).step) == ["a: 4 > 5"]  # b (0.5) leads only to an incorrect end, but is above a (0)
    assert pairs_of(tree, answer_pairs=False).answer == []


def test_tree_of_one_grade_gives_no_pairs() -> None:
    tree = Tree(PROBLEM)
    tree.add(0, answer("4", "4"), visits=1, value_sum=1.0, correct=True)
    assert pairs_of(tree).step == []
    tree.nodes[1].correct = False
    assert pairs_of(tree).step == []
