"""Iterative RPO (arXiv 2404.19733, section 2): K pairs of a winner and a loser a problem. Knows the rule, no loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from train.rules.base import POLICY, Harvest, RuleInputs, lesson
from train.rules.config import RulesConfig
from train.rules.solutions import Attempts, Solution, attempts, no_contrast, preferred, sorts

Side = TypeVar("Side")


def cycle(winners: Sequence[Side], losers: Sequence[Side], k: int) -> list[tuple[Side, Side]]:
    """K pairs by going through both at once, each from its beginning again when it ends; none where either is empty.

    Winners a, b and losers x, y, z with K = 5 → ax, by, az, bx, ay.
    """
    if not winners or not losers:
        return []
    return [(winners[i % len(winners)], losers[i % len(losers)]) for i in range(k)]


def irpo(material: RuleInputs, config: RulesConfig) -> Harvest:
    """``config.pairs`` pairs a problem, reward = exact match. A reference solution joins its problem's winners (GSM8K)."""
    every = [_joined(own, material) for own in attempts(material.trees)]
    pairs = [
        preferred(own.problem, winner, loser)
        for own in every
        for winner, loser in cycle(own.right, own.wrong, config.pairs)
    ]
    counts = sorts(every)
    return Harvest({POLICY: lesson(pairs, no_contrast(counts))}, {**counts, "pairs": len(pairs)})


def _joined(own: Attempts, material: RuleInputs) -> Attempts:
    """The attempts with the reference solution as the last winner, where there is one that nobody wrote."""
    reference = material.references.get(own.problem.id)
    if reference is None:
        return own
    gold = Solution(reference.steps, True)
    written = {solution.text for solution in own.right}
    return own if gold.text in written else Attempts(own.problem, (*own.solutions, gold))
