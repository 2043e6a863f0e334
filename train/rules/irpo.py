"""Iterative RPO (arXiv 2404.19733, section 2): K pairs of a winner and a loser a problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import Field

from search.data import Trajectory
from train.record_files import PAIRS
from train.rules.base import POLICY, Harvest, HarvestRule, RuleInputs, RuleOptions, training_set
from train.rules.solutions import (
    ProblemSolutions,
    Solution,
    collect_solutions,
    count_problems,
    to_pair,
    why_no_pair,
)
from train.rules.writing import writer_of

Item = TypeVar("Item")


class IrpoOptions(RuleOptions):
    """How much Iterative RPO takes."""

    pairs: int = Field(
        10, ge=1, description="irpo: pairs of a problem that has winners and losers (paper: GSM8K 10, MATH 15)"
    )


def cycle_pairs(winners: Sequence[Item], losers: Sequence[Item], k: int) -> list[tuple[Item, Item]]:
    """Make ``k`` pairs by cycling through both sides at once; none if either is empty.

    Winners a, b and losers x, y, z with k = 5 → ax, by, az, bx, ay.
    """
    if not winners or not losers:
        return []
    return [(winners[i % len(winners)], losers[i % len(losers)]) for i in range(k)]


def harvest(inputs: RuleInputs, options: IrpoOptions) -> Harvest:
    """Take ``options.pairs`` pairs a problem, with exact match as the reward.

    A reference solution joins its problem's winners (GSM8K).
    """
    collected = [_add_reference(solutions, inputs.references) for solutions in collect_solutions(inputs.trees)]
    pairs = [
        to_pair(solutions.problem, winner, loser)
        for solutions in collected
        for winner, loser in cycle_pairs(solutions.correct, solutions.incorrect, options.pairs)
    ]
    counts = count_problems(collected)
    return Harvest({PAIRS: training_set(pairs, why_no_pair(counts))}, {**counts, "pairs": len(pairs)})


def _add_reference(solutions: ProblemSolutions, references: Mapping[str, Trajectory]) -> ProblemSolutions:
    """Add the problem's reference solution as the last winner, unless the policy wrote it itself."""
    reference = references.get(solutions.problem.id)
    if reference is None:
        return solutions
    gold = Solution(reference.steps, True)
    if gold.text in {solution.text for solution in solutions.correct}:
        return solutions
    return ProblemSolutions(solutions.problem, (*solutions.solutions, gold))


RULE = HarvestRule(
    name="irpo",
    write=writer_of(harvest),
    files={POLICY: (PAIRS,)},
    options=IrpoOptions,
    bound=lambda options, trees: {PAIRS: options.pairs},
)
