"""Set the option by which a strategy spends tokens so that its mean spend meets a budget.

    try a value ──> mean spend ──┬─ near the budget, or next to a value beyond it ──> the nearest value tried
         ^                       │
         └── between the values below and above the budget, or in proportion ──┘

A strategy may not reach a budget: its spend no longer grows with the option, or the least value spends more. The nearest
value is taken then, and ``Setting.is_reached`` is False.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass

GROWTH = 4  # largest factor between a value that was tried and the next
PLATEAU = 1.02  # twice the value and more, but not this many times the spend: the option spends nothing more
LEAST = 1

SpendFn = Callable[[int], float]  # value of the option -> mean generated tokens


@dataclass(frozen=True, slots=True)
class Limits:
    """When a value is near the budget (share of it), and how many values may be tried in all."""

    tolerance: float
    searches: int


def nearest(spends: Mapping[int, float], budget: float) -> int:
    """Return the value whose spend is nearest to the budget by ratio, the smaller of equals."""
    return min(sorted(spends), key=lambda value: abs(math.log(max(spends[value], 1e-9) / budget)))


def is_near(spend: float, budget: float, tolerance: float) -> bool:
    """Return whether a spend lies within a share of the budget."""
    return abs(spend / budget - 1) <= tolerance


def reaches(spends: Mapping[int, float], budget: float, tolerance: float) -> bool:
    """Return whether a spend is near the budget, or values that were tried spend less and more than it."""
    near = is_near(spends[nearest(spends, budget)], budget, tolerance)
    return near or min(spends.values()) <= budget <= max(spends.values())


def meet_budget(
    budget: float, first: int, spend_of: SpendFn, spends: MutableMapping[int, float], limits: Limits
) -> int:
    """Return the value whose mean spend is nearest to the budget among those that are tried.

    ``spends`` holds what earlier budgets tried, and gets what this one does. ``first`` is tried if it is empty.
    A spend of 100 tokens a sample, budget 550, first 4: tried are 4 (400), 6 (600), 5 (500); 6 is nearer than 5 by ratio.
    """
    while len(spends) < limits.searches:
        value = next_value(budget, first, spends, limits.tolerance)
        if value is None:
            break
        spends[value] = spend_of(value)
    return nearest(spends, budget)


def next_value(budget: float, first: int, spends: Mapping[int, float], tolerance: float) -> int | None:
    """Return the value to try next, None if none can come nearer."""
    if not spends:
        return max(LEAST, first)
    if is_near(spends[nearest(spends, budget)], budget, tolerance):
        return None
    below = max((value for value, spend in spends.items() if spend < budget), default=None)
    above = min((value for value, spend in spends.items() if spend >= budget), default=None)
    if below is None:
        return _smaller(budget, spends, above)
    if above is None or above < below:  # the second: spends that do not rise with the value, by chance
        return _larger(budget, spends, below) if above is None else None
    if above - below <= 1:
        return None
    share = (budget - spends[below]) / (spends[above] - spends[below])
    return min(max(round(below + share * (above - below)), below + 1), above - 1)


def _smaller(budget: float, spends: Mapping[int, float], least: int | None) -> int | None:
    if least is None or least <= LEAST:
        return None
    return max(LEAST, math.floor(least * max(budget / spends[least], 1 / GROWTH)))


def _larger(budget: float, spends: Mapping[int, float], most: int) -> int | None:
    before = max((value for value in spends if value <= most / 2), default=None)
    if before is not None and spends[most] < PLATEAU * spends[before]:
        return None
    factor = min(budget / max(spends[most], 1e-9), GROWTH)
    return max(most + 1, math.ceil(most * factor))
