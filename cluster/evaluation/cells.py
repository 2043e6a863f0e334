"""One cell of a comparison: a strategy at one budget with one seed, its costs and what each rule reads from its trees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean

from cluster.evaluation.accuracy import trees_by_problem
from cluster.evaluation.costs import ProblemCost
from search.data import Aggregation, Problem
from search.evaluation.readings import COVERAGE, MAJORITY, READINGS, are_scored, expected_accuracies
from search.evaluation.solutions import finished_solutions
from search.protocols import Grader
from search.strategies.registry import STRATEGIES
from search.tree import Tree

CALIBRATION = "calibration"  # stage of each strategy that is not a cell
STRATEGY_RULE = "strategy"  # the answer that a strategy chose by a rule of its own, such as rstar's


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a strategy spends a budget: fixed on other problems, before those of the comparison are searched.

    Attributes:
        budget: generated tokens a problem.
        option: option of the strategy that was set; None for one that is measured as it is.
        value: what it was set to.
        spend: mean generated tokens of the problems that it was set on.
        is_reached: whether ``spend`` is near the budget.
        validation: accuracy of each reading on these problems.
    """

    budget: int
    option: str | None
    value: int | None
    spend: float
    is_reached: bool
    validation: Mapping[str, float] = field(default_factory=dict)

    @property
    def reading(self) -> str:
        """The reading that was best on the problems that the option was set on, the first of equals."""
        return best_reading(self.validation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The search of all problems by one strategy at one setting with one seed.

    ``budgets``: those that the setting is for, several where none comes nearer to the others. ``accuracies``: reading, or
    coverage -> expected accuracy of each problem, in the order of the problems.
    """

    strategy: str
    budgets: tuple[int, ...]
    repeat: int
    setting: Setting
    cost: ProblemCost
    accuracies: Mapping[str, tuple[float, ...]]

    @property
    def budget(self) -> int:
        """The least budget, which names the cell."""
        return self.budgets[0]


def in_order(readings: Iterable[str]) -> list[str]:
    """Return readings in the order of READINGS, then a strategy's own rule, then the coverage."""
    order = [*READINGS, STRATEGY_RULE, COVERAGE]
    return sorted(readings, key=order.index)


def best_reading(accuracies: Mapping[str, float]) -> str:
    """Return the reading with the highest accuracy, the first of equals; coverage is none. Majority if there is none."""
    readings = [name for name in in_order(accuracies) if name != COVERAGE]
    return max(readings, key=accuracies.__getitem__, default=MAJORITY)


def read_accuracies(
    trees: Sequence[Tree], problems: Sequence[Problem], aggregation: Aggregation, grader: Grader
) -> dict[str, tuple[float, ...]]:
    """Return the accuracy of each problem, in order, by each rule that the trees can be read by, and their coverage.

    All trees of a problem are read together; one without a tree (it was quarantined) counts as incorrect. Trees with
    solutions of different answers and without scores are read by majority, and by the strategy's rule if it has one.
    """
    groups = trees_by_problem(trees, problems)
    solutions = [finished_solutions(groups[problem.id], aggregation) for problem in problems]
    names = [*READINGS, COVERAGE] if all(map(are_scored, solutions)) else [MAJORITY, COVERAGE]
    rows = [
        expected_accuracies(finished, partial(grader.grade, problem))
        for finished, problem in zip(solutions, problems, strict=True)
    ]
    accuracies = {name: tuple(row[name] for row in rows) for name in names}
    if len(names) == 2 and any(STRATEGIES[tree.strategy].chooses_answer for tree in trees):
        accuracies[STRATEGY_RULE] = tuple(_chosen(groups[problem.id], problem, grader) for problem in problems)
    return accuracies


def _chosen(trees: Sequence[Tree], problem: Problem, grader: Grader) -> float:
    """Return the share of a problem's trees whose strategy chose a correct answer."""
    return fmean(grader.grade(problem, tree.answer) for tree in trees) if trees else 0.0
