"""Accuracy over the tokens that strategies really generated, and strategies compared at equal numbers of them.

A cell's tokens are near its budget, never exactly it. Between two cells of a strategy every problem's accuracy is interpolated
linearly in log(tokens), so that all strategies are read at the same numbers of tokens:

    accuracy 0.4 at 400 tokens, 0.6 at 1600 -> 0.5 at 800

A strategy that never spends so much, or always more, is read at its end that is nearest, and said to have ``is_reached``
False; it is then compared with the other strategy at that number of tokens.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from cluster.evaluation.cells import Cell, best_reading, in_order
from cluster.evaluation.costs import ProblemCost, mean_cost
from search.evaluation.confidence import Interval, mean_of_shares, paired_difference
from search.evaluation.readings import COVERAGE

NEAR = 0.1  # share by which tokens may differ from a budget that is still reached


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """The searches of a strategy at one budget: mean cost over seeds, and each problem's mean accuracy by reading."""

    strategy: str
    budget: int
    cells: tuple[Cell, ...]
    cost: ProblemCost
    accuracies: dict[str, tuple[float, ...]]

    @property
    def tokens(self) -> float:
        return self.cost.tokens

    @property
    def accuracy_by_seed(self) -> dict[str, tuple[float, ...]]:
        """The accuracy of each reading with each seed."""
        return {name: tuple(fmean(cell.accuracies[name]) for cell in self.cells) for name in self.accuracies}


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveValue:
    """A strategy at a number of tokens by one reading.

    Attributes:
        strategy: name of the contender.
        reading: rule by which the answer was read, or coverage.
        budget: tokens that were asked for.
        tokens: tokens that the value is for; the budget, or the nearest end of the strategy's curve.
        is_reached: whether the strategy's curve has the budget, or an end near it.
        accuracy: over problems.
        not_found: share of the problems without a correct solution; the rest of the loss is a wrong choice.
        difference: to the other strategy by the same reading at ``tokens``, paired by problem; None if it has no such
            reading, or does not come near these tokens.
    """

    strategy: str
    reading: str
    budget: int
    tokens: float
    is_reached: bool
    accuracy: Interval
    not_found: float
    difference: Interval | None


def curve_points(cells: Iterable[Cell]) -> dict[str, tuple[CurvePoint, ...]]:
    """Return the points of each strategy in the order of their tokens. Readings are those that all its cells have."""
    grouped: dict[str, dict[int, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        grouped[cell.strategy][cell.budget].append(cell)
    return {
        strategy: tuple(sorted((_point(group) for group in by_budget.values()), key=lambda point: point.tokens))
        for strategy, by_budget in grouped.items()
    }


def _point(cells: Sequence[Cell]) -> CurvePoint:
    readings = [name for name in cells[0].accuracies if all(name in cell.accuracies for cell in cells)]
    return CurvePoint(
        strategy=cells[0].strategy,
        budget=cells[0].budget,
        cells=tuple(cells),
        cost=mean_cost([cell.cost for cell in cells]),
        accuracies={
            # Seeds of one problem are no independent problems: the unit is the problem's mean over them.
            name: tuple(fmean(values) for values in zip(*(cell.accuracies[name] for cell in cells), strict=True))
            for name in readings
        },
    )


def accuracies_at(points: Sequence[CurvePoint], reading: str, tokens: float) -> tuple[float, list[float]] | None:
    """Return each problem's accuracy at a number of tokens, and the number that it is for: the nearest on the curve.

    None if the reading is missing. Points whose tokens are equal count as their mean.
    """
    known: dict[float, list[tuple[float, ...]]] = defaultdict(list)
    for point in points:
        if reading in point.accuracies:
            known[point.tokens].append(point.accuracies[reading])
    if not known:
        return None
    curve = [(spent, [fmean(values) for values in zip(*alike, strict=True)]) for spent, alike in sorted(known.items())]
    at = min(max(tokens, curve[0][0]), curve[-1][0])
    for (low, before), (high, after) in pairwise(curve):
        if low <= at <= high:
            share = _position(at, low, high)
            return at, [first + share * (second - first) for first, second in zip(before, after, strict=True)]
    return at, curve[0][1]


def _position(tokens: float, low: float, high: float) -> float:
    """Return where a number of tokens lies between two, in log(tokens): 0 to 1; halfway where the lower is none."""
    return math.log(tokens / low) / math.log(high / low) if low > 0 else 0.5


def values_at(
    curves: dict[str, tuple[CurvePoint, ...]], reading: str, budgets: Sequence[int], against: str
) -> list[CurveValue]:
    """Return every strategy that has the reading at every budget, beside the strategy ``against`` by the same reading.

    A strategy that is measured as it is, such as greedy decoding, is a value once, at the first budget.
    """
    values = []
    for strategy, points in curves.items():
        is_scaled = any(cell.setting.option is not None for point in points for cell in point.cells)
        for budget in budgets if is_scaled else budgets[:1]:
            value = _value(curves, strategy, reading, budget, against)
            if value is not None:
                values.append(value)
    return values


def _value(
    curves: dict[str, tuple[CurvePoint, ...]], strategy: str, reading: str, budget: int, against: str
) -> CurveValue | None:
    read = accuracies_at(curves[strategy], reading, budget)
    if read is None:
        return None
    tokens, accuracies = read
    _, covered = accuracies_at(curves[strategy], COVERAGE, budget) or (tokens, accuracies)
    baseline = accuracies_at(curves.get(against, ()), reading, tokens)
    if baseline is not None and abs(baseline[0] - tokens) > NEAR * tokens:
        baseline = None
    return CurveValue(
        strategy=strategy,
        reading=reading,
        budget=budget,
        tokens=tokens,
        is_reached=abs(tokens / budget - 1) <= NEAR,
        accuracy=mean_of_shares(accuracies),
        not_found=1 - fmean(covered),
        difference=None if baseline is None else paired_difference(accuracies, baseline[1]),
    )


def readings_of(curves: Mapping[str, Sequence[CurvePoint]]) -> list[str]:
    """Return all readings that a strategy has, in their order."""
    return in_order({name for points in curves.values() for point in points for name in point.accuracies})


def chosen_reading(points: Sequence[CurvePoint], budget: int) -> str | None:
    """Return the reading that was best on the problems that the strategy was set on, at the point for a budget.

    With several runs it is the best by its mean over them; of equals the first. None without a point for the budget.
    """
    for point in points:
        if any(budget in cell.budgets for cell in point.cells):
            validations = [cell.setting.validation for cell in point.cells]
            names = [name for name in point.accuracies if all(name in validation for validation in validations)]
            return best_reading({name: fmean(validation[name] for validation in validations) for name in names})
    return None


def chosen_values(curves: dict[str, tuple[CurvePoint, ...]], budgets: Sequence[int], against: str) -> list[CurveValue]:
    """Return every strategy at every budget by the reading that was chosen for it; differences are by the same reading."""
    values = []
    for strategy, points in curves.items():
        for budget in budgets:
            reading = chosen_reading(points, budget)
            value = None if reading is None else _value(curves, strategy, reading, budget, against)
            if value is not None:
                values.append(value)
    return values
