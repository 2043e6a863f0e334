"""Training objectives by name. Importing this package loads no torch: ``Objective.functions`` imports the formulas."""

from __future__ import annotations

from train.objectives.registry import OBJECTIVES, POLICY_OBJECTIVES, REWARD_MODEL_OBJECTIVES, Objective
from train.objectives.sample_kinds import SampleKind

__all__ = ["OBJECTIVES", "POLICY_OBJECTIVES", "REWARD_MODEL_OBJECTIVES", "Objective", "SampleKind"]
