"""Training objectives as pure functions over tensors, by name. A new one is one function and one line here."""

from __future__ import annotations

from train.objectives import dpo
from train.objectives.base import Kind, Objective, Options, Targets
from train.objectives.orm import orm, outcome_accuracy
from train.objectives.ppm import pair_accuracy, ppm
from train.objectives.prm import absolute_error, class_accuracy, prm, q_regression
from train.objectives.sft import sft, token_accuracy

__all__ = ["OBJECTIVES", "Kind", "Objective", "Options", "Targets"]

PREFERENCE_METRICS = {
    "chosen_log_probability": dpo.chosen_log_probability,
    "rejected_log_probability": dpo.rejected_log_probability,
    "reward_margin": dpo.reward_margin,
    "pair_accuracy": dpo.pair_accuracy,
}
SUMS = dpo.log_probabilities

OBJECTIVES: dict[str, Objective] = {
    "sft": Objective(Kind.TOKENS, sft, {"token_accuracy": token_accuracy}),
    "dpo": Objective(Kind.PREFERENCES, dpo.dpo, PREFERENCE_METRICS, read=SUMS),
    "dpo_nll": Objective(Kind.PREFERENCES, dpo.dpo_nll, PREFERENCE_METRICS, read=SUMS),
    "ppm": Objective(Kind.PAIRS, ppm, {"pair_accuracy": pair_accuracy}),
    "q_regression": Objective(Kind.STEP_VALUES, q_regression, {"absolute_error": absolute_error}),
    "prm": Objective(Kind.STEP_LABELS, prm, {"class_accuracy": class_accuracy}),
    "orm": Objective(Kind.OUTCOMES, orm, {"outcome_accuracy": outcome_accuracy}),
}
