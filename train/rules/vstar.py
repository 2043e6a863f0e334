"""V-STaR (arXiv 2402.06457): right solutions for the generator, right over wrong ones for the verifier. Knows the rule.

The verifier is trained by DPO against the SFT model; its score of a solution is the solution's likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from train.rules.base import POLICY, VERIFIER, Harvest, RuleInputs, lesson
from train.rules.config import RulesConfig
from train.rules.solutions import attempts, imitated, no_contrast, no_right, preferred, sorts

Side = TypeVar("Side")


def vstar(material: RuleInputs, config: RulesConfig) -> Harvest:
    """Every right solution to imitate, and every right one over every wrong one of the same problem (section 3)."""
    every = attempts(material.trees)
    kept = [imitated(own.problem, found) for own in every for found in own.right[: config.solutions]]
    most = config.verifier_pairs
    pairs = [preferred(own.problem, *sides) for own in every for sides in crossed(own.right, own.wrong)[:most]]
    counts = sorts(every)
    lessons = {POLICY: lesson(kept, no_right(counts)), VERIFIER: lesson(pairs, no_contrast(counts))}
    return Harvest(lessons, {**counts, "trajectories": len(kept), "pairs": len(pairs)})


def crossed(right: Sequence[Side], wrong: Sequence[Side]) -> list[tuple[Side, Side]]:
    """Every right one over every wrong one, in an order in which the first pairs differ on both sides.

    Right a, b and wrong x, y, z → ax, by, ay, bz, az, bx.
    """
    return [
        (side, wrong[(place + shift) % len(wrong)]) for shift in range(len(wrong)) for place, side in enumerate(right)
    ]
