"""Which solutions are chosen for labelling: counts, rounding, ties."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.labels.active_selection import ScoredSolution, choose, wrong_wanted


def pool(*scored: tuple[float, bool]) -> list[ScoredSolution]:
    return [ScoredSolution(f"s{index}", score, right) for index, (score, right) in enumerate(scored)]


@pytest.mark.parametrize(("count", "wrong"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (10, 8), (12, 10), (13, 10)])
def test_80_percent_to_the_nearest_whole_number(count: int, wrong: int) -> None:
    assert wrong_wanted(count) == wrong


def test_the_most_convincing_wrong_ones_then_the_most_convincing_of_the_rest() -> None:
    solutions = pool((0.9, True), (0.2, False), (0.8, False), (0.5, True), (0.7, False), (0.3, False), (0.6, False))
    assert choose(solutions, 5, seed=1) == [2, 4, 6, 5, 0]  # four wrong ones, then the right one of 0.9
    assert choose(solutions, 6, seed=1) == [2, 4, 6, 5, 1, 0]  # 4.8 is 5
    assert choose(solutions, 1, seed=1) == [2]


def test_the_rest_may_be_wrong_too() -> None:
    assert choose(pool((0.9, False), (0.8, False), (0.1, True), (0.7, False)), 3, seed=1) == [0, 1, 3]


def test_fewer_wrong_ones_than_wanted_make_room_for_right_ones() -> None:
    assert choose(pool((0.1, False), (0.5, True), (0.9, True), (0.7, True)), 3, seed=1) == [0, 2, 3]
    assert choose(pool((0.1, True), (0.5, True)), 2, seed=1) == [1, 0]
    assert choose(pool((0.1, False), (0.5, True)), 5, seed=1) == [0, 1]
    assert choose([], 5, seed=1) == []


def test_ties_are_broken_by_the_seed_and_not_by_the_place() -> None:
    equal = pool(*[(0.5, False)] * 30)
    first, second = choose(equal, 10, seed=1), choose(equal, 10, seed=2)
    assert first == choose(equal, 10, seed=1)
    assert set(first) != set(second)
    turned = choose(equal[::-1], 10, seed=1)
    assert [equal[::-1][index].name for index in turned] == [equal[index].name for index in first]


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=20), st.integers(1, 25))
def test_counts_are_exact(scored: list[tuple[float, bool]], count: int) -> None:
    solutions = pool(*scored)
    chosen = choose(solutions, count, seed=0)
    wrong = sum(not right for _, right in scored)
    assert len(chosen) == len(set(chosen)) == min(count, len(scored))
    least = min(wrong, wrong_wanted(count), len(chosen))
    assert sum(not solutions[index].right for index in chosen) >= least
    left = [s.score for i, s in enumerate(solutions) if i not in chosen and not s.right]
    assert all(s.score >= max(left, default=0.0) for s in (solutions[i] for i in chosen) if not s.right)
