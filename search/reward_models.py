"""Kinds of reward models: the labels of their heads, and how their outputs become logits and probabilities."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from search.evaluation.voting import Aggregation


class RewardModelKind(StrEnum):
    """Training target of a reward model."""

    PPM = "ppm"  # ranks steps (rStar-Math)
    Q_REGRESSION = "q_regression"  # predicts the Q-value of a step
    ORM = "orm"  # predicts whether the solution will be correct
    DPO = "dpo"  # gives correct solutions a higher likelihood: a language model, not a classifier (V-STaR)
    PRM = "prm"  # classifies a step as correct, neutral or incorrect (Let's Verify Step by Step)


PRM_CLASSES = ("correct", "neutral", "incorrect")  # in the order of the outputs

# Labels of the outputs, as ``id2label`` in the model's config.json has them.
KIND_BY_LABELS: dict[tuple[str, ...], RewardModelKind] = {
    ("reward",): RewardModelKind.PPM,
    ("value",): RewardModelKind.Q_REGRESSION,
    ("correct",): RewardModelKind.ORM,
    ("likelihood",): RewardModelKind.DPO,
    PRM_CLASSES: RewardModelKind.PRM,
}

LIKELIHOOD_UNIT = 32.0  # nats: tanh(log-likelihood / unit) still separates solutions of a hundred nats

# A model trained on Monte-Carlo estimates judges a solution best at its last step, one trained on labels of people or
# of another model by the product (Lessons of Developing PRMs, arXiv 2501.07301; Let's Verify Step by Step, section 2.6).
DEFAULT_AGGREGATION: dict[RewardModelKind, Aggregation] = {
    RewardModelKind.PPM: Aggregation.LAST,
    RewardModelKind.Q_REGRESSION: Aggregation.LAST,
    RewardModelKind.ORM: Aggregation.LAST,
    RewardModelKind.DPO: Aggregation.LAST,
    RewardModelKind.PRM: Aggregation.PRODUCT,
}


def read_kind(directory: Path) -> RewardModelKind | None:
    """Return the kind that the labels in the directory's config.json stand for; None if they name none."""
    file = directory / "config.json"
    labels = json.loads(file.read_text(encoding="utf-8")).get("id2label") if file.is_file() else None
    return KIND_BY_LABELS.get(tuple(str(labels[key]) for key in sorted(labels, key=int))) if labels else None


def to_logit(outputs: Sequence[float]) -> float:
    """Return a head's only output, or the log-odds of P(correct) + P(neutral) of a head with three.

    log((e^c + e^n) / e^i) = logsumexp(c, n) - i for the outputs c, n, i of PRM_CLASSES. Raises ValueError for any other
    number of outputs.
    """
    if len(outputs) == 1:
        return outputs[0]
    if len(outputs) != len(PRM_CLASSES):
        raise ValueError(
            f"a reward model has one output, or {len(PRM_CLASSES)} ({', '.join(PRM_CLASSES)}), not {len(outputs)}"
        )
    correct, neutral, incorrect = outputs
    high = max(correct, neutral)
    return high + math.log(math.exp(correct - high) + math.exp(neutral - high)) - incorrect


def logit_unit(kind: RewardModelKind | None) -> float:
    """Return the unit u with which value = tanh(logit / u) in [-1, 1] means what the model was trained to predict.

    PPM and Q-regression: 1, because their value is tanh(logit). ORM and PRM: 2, because 2 * sigmoid(logit) - 1 =
    tanh(logit / 2) is their probability mapped to [-1, 1]. DPO: LIKELIHOOD_UNIT. An unknown kind counts as a PPM.
    """
    if kind is RewardModelKind.DPO:
        return LIKELIHOOD_UNIT
    return 2.0 if kind in (RewardModelKind.ORM, RewardModelKind.PRM) else 1.0


def probability(logit: float, kind: RewardModelKind, squash_scale: float = 1.0) -> float:
    """Return the score of a step in [0, 1].

    ORM and PRM: sigmoid(logit). PPM and Q-regression: (1 + v) / 2 with v = tanh(logit / squash_scale), which is
    sigmoid(2 * logit / squash_scale); so the scores of all kinds can be multiplied and can weigh votes. DPO: the
    likelihood exp(logit), by which V-STaR ranks solutions.
    """
    if kind is RewardModelKind.DPO:
        return math.exp(min(0.0, logit))
    log_odds = logit if kind in (RewardModelKind.ORM, RewardModelKind.PRM) else 2 * logit / squash_scale
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    odds = math.exp(log_odds)  # this form keeps very low scores above 0 and distinct
    return odds / (1.0 + odds)
