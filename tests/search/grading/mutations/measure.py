"""Measure how often a grader agrees with the pairs of each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.search.grading.mutations.kinds import KINDS
from tests.search.grading.mutations.pairs import Pair, make_pairs

EQUAL_BAR, UNEQUAL_BAR, KIND_BAR = 0.995, 0.999, 0.99

Grader = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How many equal and unequal pairs of a kind there were, and those on which the grader disagreed."""

    kind: str
    equal: int
    unequal: int
    disagreements: tuple[Pair, ...]

    def rate(self, is_equal: bool) -> float:
        """Return the share of the equal, or of the unequal pairs, on which the grader agreed."""
        count = self.equal if is_equal else self.unequal
        return 1 - sum(pair.is_equal == is_equal for pair in self.disagreements) / count if count else 1.0


def measure(grader: Grader, seed: int, count: int, names: Iterable[str] = tuple(KINDS)) -> list[Agreement]:
    """Grade ``count`` pairs of each kind, half of them equal."""
    agreements = []
    for name in names:
        pairs = list(make_pairs(name, KINDS[name], seed, count))
        disagreements = tuple(pair for pair in pairs if grader(pair.gold, pair.answer) != pair.is_equal)
        equal = sum(pair.is_equal for pair in pairs)
        agreements.append(Agreement(kind=name, equal=equal, unequal=count - equal, disagreements=disagreements))
    return agreements


def overall_rate(agreements: list[Agreement], is_equal: bool) -> float:
    """Return the share over all kinds."""
    count = sum(agreement.equal if is_equal else agreement.unequal for agreement in agreements)
    return 1 - sum(pair.is_equal == is_equal for agreement in agreements for pair in agreement.disagreements) / count


def shortfalls(agreements: list[Agreement]) -> list[str]:
    """Return what stays below its bar, in words."""
    below = []
    for is_equal, bar in ((True, EQUAL_BAR), (False, UNEQUAL_BAR)):
        label = "equal" if is_equal else "unequal"
        if (rate := overall_rate(agreements, is_equal)) < bar:
            below.append(f"all kinds, {label}: {rate:.2%}, the bar is {bar:.1%}")
        for agreement in agreements:
            if (rate := agreement.rate(is_equal)) < KIND_BAR:
                below.append(f"{agreement.kind}, {label}: {rate:.2%}, the bar is {KIND_BAR:.1%}")
    return below
