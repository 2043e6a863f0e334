"""Pairs whose sides differ too little are left out."""

from __future__ import annotations

import pytest

from tests.train.rules.rstar_math.hand_tree import hand_tree, names, pairs_of
from train.rules.rstar_math.pair_filter import is_distance_at_least


@pytest.mark.parametrize(
    ("a", "b", "distance"), [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "abc", 0), ("flaw", "lawn", 2)]
)
def test_edit_distance_is_compared_with_the_bound(a: str, b: str, distance: int) -> None:
    for least in range(7):
        assert is_distance_at_least(a, b, least) == (distance >= least)
        assert is_distance_at_least(b, a, least) == (distance >= least)


def test_narrow_pairs_are_left_out_and_counted() -> None:
    pairs = pairs_of(hand_tree()[0], min_q_margin=0.7)
    # Of the paper's pairs b > c and b > e have a margin of 0.5, b1 > b2 one of 0.1, and the solution b-b1-b11 (-0.1333) exceeds
    # b-b2 (-0.75) by 0.6167.
    assert names(pairs.step) == [": a > c", ": a > e", "a: a1 > a2", "a: a1 > a3"]
    assert names(pairs.answer) == [": a-a1 > c", ": a-a1 > b-b2", ": b-b1-b11 > c"]
    assert pairs.filtered == 4


def test_similar_texts_are_left_out() -> None:
    pairs = pairs_of(hand_tree()[0], min_edit_distance=20, answer_pairs=False)
    assert names(pairs.step) == [": a > c", ": a > e", ": b > e", "a: a1 > a3", "b: b1 > b2"]
    assert pairs.filtered == 2  # b > c and a1 > a2 differ by one character


def test_continuations_are_compared_when_wanted() -> None:
    # Only b > e falls: what follows b has a mean Q of -0.1333 at best, what follows e one of 0 at worst.
    pairs = pairs_of(hand_tree()[0], compare_chains=True, answer_pairs=False)
    assert ": b > e" not in names(pairs.step) and pairs.filtered == 1
