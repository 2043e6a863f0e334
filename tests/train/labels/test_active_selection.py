"""Which solutions are chosen for labelling: counts, rounding, ties."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.labels.active_selection import ScoredSolution, choose, incorrect_share


def pool(*scored: tuple[float, bool]) -> list[ScoredSolution]:
    return [
        ScoredSolution(name=f"s{index}", score=score, correct=correct) for index, (score, correct) in enumerate(scored)
    ]


@pytest.mark.parametrize(("count", "incorrect"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (10, 8), (12, 10), (13, 10)])
def test_incorrect_share_is_80_percent_rounded(count: int, incorrect: int) -> None:
    assert incorrect_share(count) == incorrect


def test_most_convincing_incorrect_come_first_then_the_rest() -> None:
    solutions = pool((0.9, True), (0.2, False), (0.8, False), (0.5, True), (0.7, False), (0.3, False), (0.6, False))
    assert choose(solutions, 5, seed=1) == [2, 4, 6, 5, 0]  # four incorrect ones, then the correct one of 0.9
    assert choose(solutions, 6, seed=1) == [2, 4, 6, 5, 1, 0]  # 4.8 is 5
    assert choose(solutions, 1, seed=1) == [2]


def test_rest_may_be_incorrect_too() -> None:
    assert choose(pool((0.9, False), (0.8, False), (0.1, True), (0.7, False)), 3, seed=1) == [0, 1, 3]


def test_too_few_incorrect_are_filled_up_with_correct() -> None:
    assert choose(pool((0.1, False), (0.5, True), (0.9, True), (0.7, True)), 3, seed=1) == [0, 2, 3]
    assert choose(pool((0.1, True), (0.5, True)), 2, seed=1) == [1, 0]
    assert choose(pool((0.1, False), (0.5, True)), 5, seed=1) == [0, 1]
    assert choose([], 5, seed=1) == []


def test_ties_are_broken_by_the_seed_not_the_order() -> None:
    equal = pool(*[(0.5, False)] * 30)
    first, second = choose(equal, 10, seed=1), choose(equal, 10, seed=2)
    assert first == choose(equal, 10, seed=1)
    assert set(first) != set(second)
    turned = choose(equal[::-1], 10, seed=1)
    assert [equal[::-1][index].name for index in turned] == [equal[index].name for index in first]


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=20), st.integers(1, 25))
def test_choice_has_the_requested_count_and_share(scored: list[tuple[float, bool]], count: int) -> None:
    solutions = pool(*scored)
    chosen = choose(solutions, count, seed=0)
    incorrect = sum(not correct for _, correct in scored)
    assert len(chosen) == len(set(chosen)) == min(count, len(scored))
    least = min(incorrect, incorrect_share(count), len(chosen))
    assert sum(not solutions[index].correct for index in chosen) >= least
    left = [s.score for i, s in enumerate(solutions) if i not in chosen and not s.correct]
    assert all(s.score >= max(left, default=0.0) for s in (solutions[i] for i in chosen) if not s.correct)
