"""Expert iteration: of many samples the right ones are imitated. Knows the rule only; the search draws the samples."""

from __future__ import annotations

from train.rules.base import POLICY, Harvest, RuleInputs, lesson
from train.rules.config import RulesConfig
from train.rules.solutions import attempts, imitated, no_right, sorts


def expert_iteration(material: RuleInputs, config: RulesConfig) -> Harvest:
    """Every different right solution, the first ``config.solutions`` of each problem."""
    every = attempts(material.trees)
    kept = [imitated(own.problem, solution) for own in every for solution in own.right[: config.solutions]]
    right, counts = sum(len(own.right) for own in every), sorts(every)
    tally = {**counts, "trajectories": len(kept), "beyond_solutions": right - len(kept)}
    return Harvest({POLICY: lesson(kept, no_right(counts))}, tally)
