"""Iterative DPO: best over worst by a fixed reward model. Knows the rule; the search scores the samples, and that its
reward model stays the same is for the rounds to see to."""

from __future__ import annotations

from train.rules.base import Harvest, RuleInputs
from train.rules.config import RulesConfig
from train.rules.extremes import best_over_worst
from train.rules.solutions import attempts


def iterative_dpo(material: RuleInputs, config: RulesConfig) -> Harvest:
    """One pair a problem, from the rewards of the solutions' ends. Grades do not count; ends without an answer have no
    reward."""
    return best_over_worst(attempts(material.trees), lambda _, found: found.score, "reward")
