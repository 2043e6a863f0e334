"""Meet budgets by the values of one option, with made-up spends."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from cluster.evaluation.calibration import Limits, meet_budget, nearest, next_value, reaches

LIMITS = Limits(tolerance=0.05, searches=12)


def values_for(spend_of: Callable[[int], float], budgets: tuple[int, ...], first: int) -> tuple[list[int], list[int]]:
    """Return the value for each budget, and all values that were tried in order."""
    spends: dict[int, float] = {}
    values = [meet_budget(budget, first, spend_of, spends, LIMITS) for budget in budgets]
    return values, list(spends)


def test_proportional_spend_is_met_in_few_searches() -> None:
    values, tried = values_for(lambda value: 106.7 * value, (500, 1000, 2000, 4000), 4)
    assert (values, sorted(tried)) == ([5, 9, 19, 38], [4, 5, 9, 10, 19, 38])


def test_nearest_value_is_taken_when_none_is_near() -> None:
    values, tried = values_for(lambda value: 100.0 * value, (550,), 4)
    assert values == [6] and sorted(tried) == [4, 5, 6]  # log(600 / 550) < log(550 / 500)


def test_earlier_budgets_searches_serve_later_ones() -> None:
    _, tried = values_for(lambda value: 100.0 * value, (500, 1000), 10)
    assert tried == [10, 5]


@pytest.mark.parametrize(
    ("spend_of", "budget", "value"),
    [
        (lambda value: 1500 * (1 - math.exp(-value / 3)), 4000, None),  # spends no more than 1500
        (lambda value: 800.0 + 400 * value, 500, 1),  # the least value spends more
    ],
)
def test_budget_out_of_reach_is_said(spend_of: Callable[[int], float], budget: int, value: int | None) -> None:
    spends: dict[int, float] = {}
    taken = meet_budget(budget, 3, spend_of, spends, LIMITS)
    assert taken == (value or max(spends)) and not reaches(spends, budget, LIMITS.tolerance)
    assert len(spends) <= LIMITS.searches


def test_coarse_option_reaches_a_budget_between_its_values() -> None:
    spends = {1: 400.0, 2: 800.0}
    assert reaches(spends, 560, 0.05) and next_value(560, 1, spends, 0.05) is None
    assert nearest(spends, 560) == 1 and nearest(spends, 580) == 2


def test_spend_that_falls_by_chance_ends_the_search() -> None:
    assert next_value(500, 1, {3: 520.0 * 1.2, 4: 400.0}, 0.05) is None


def test_searches_are_limited() -> None:
    spends: dict[int, float] = {}
    meet_budget(10**6, 1, lambda value: math.log(1 + value), spends, Limits(tolerance=0.05, searches=3))
    assert len(spends) == 3
