"""What a judge says of a step: kinds of reward models, and how the one logit of each becomes a probability.

Knows the names of heads, where a model's directory has them, and their arithmetic; no model and no engine. What became of a
whole solution's steps is voting.py's business.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from search.evaluation.voting import Aggregation


class RewardModelKind(StrEnum):
    """What a reward model was trained for."""

    PPM = "ppm"  # to rank steps (rStar-Math)
    Q_REGRESSION = "q_regression"  # to give a step's Q-value
    ORM = "orm"  # to foretell the outcome
    DPO = "dpo"  # to make right solutions likelier than wrong ones: a language model, not a classifier (V-STaR)
    PRM = "prm"  # to call a step right, neutral or wrong (Let's Verify Step by Step)


CLASSES = ("right", "neutral", "wrong")  # of a PRM, in the order of its outputs

# What the outputs of a head are called in the model's directory, one a number that it gives.
HEADS: dict[tuple[str, ...], RewardModelKind] = {
    ("reward",): RewardModelKind.PPM,
    ("value",): RewardModelKind.Q_REGRESSION,
    ("right",): RewardModelKind.ORM,
    ("likelihood",): RewardModelKind.DPO,
    CLASSES: RewardModelKind.PRM,
}

LIKELIHOOD_UNIT = 32.0  # nats: under tanh(log-likelihood / unit) solutions of a hundred nats can still be told apart

# Labels that come from Monte-Carlo estimates make the last step the best judge of a solution, labels of judges or people
# the product (Lessons of Developing PRMs, arXiv 2501.07301; Let's Verify Step by Step, section 2.6).
USUAL: dict[RewardModelKind, Aggregation] = {
    RewardModelKind.PPM: Aggregation.LAST,
    RewardModelKind.Q_REGRESSION: Aggregation.LAST,
    RewardModelKind.ORM: Aggregation.LAST,
    RewardModelKind.DPO: Aggregation.LAST,
    RewardModelKind.PRM: Aggregation.PRODUCT,
}


def kind_of(directory: Path) -> RewardModelKind | None:
    """What the reward model was trained for, as the names of its outputs say; None where they say nothing."""
    file = directory / "config.json"
    names = json.loads(file.read_text(encoding="utf-8")).get("id2label") if file.is_file() else None
    return HEADS.get(tuple(str(names[key]) for key in sorted(names, key=int))) if names else None


def one_logit(outputs: Sequence[float]) -> float:
    """The one number of a head: its only output, or of right, neutral and wrong the log-odds of P(right) + P(neutral).

    log((e^r + e^n) / e^w) = logsumexp(r, n) - w. ValueError for any other number of outputs.
    """
    if len(outputs) == 1:
        return outputs[0]
    if len(outputs) != len(CLASSES):
        raise ValueError(f"a judge gives one number, or {len(CLASSES)} ({', '.join(CLASSES)}), not {len(outputs)}")
    right, neutral, wrong = outputs
    high = max(right, neutral)
    return high + math.log(math.exp(right - high) + math.exp(neutral - high)) - wrong


def logit_unit(kind: RewardModelKind | None) -> float:
    """Logits that make one unit under tanh, so that value = tanh(logit / unit) is what the model was trained to mean.

    PPM and Q-regression: 1, their value is tanh(logit). ORM and PRM: 2, for 2 * sigmoid(logit) - 1 = tanh(logit / 2) is
    their probability brought into [-1, 1]. DPO: LIKELIHOOD_UNIT. A model of an unknown kind is taken for a PPM.
    """
    if kind is RewardModelKind.DPO:
        return LIKELIHOOD_UNIT
    return 2.0 if kind in (RewardModelKind.ORM, RewardModelKind.PRM) else 1.0


def probability(logit: float, kind: RewardModelKind, squash_scale: float = 1.0) -> float:
    """The score of a step in [0, 1].

    ORM and PRM: sigmoid(logit). PPM and Q-regression: (1 + v) / 2 of the value v = tanh(logit / squash_scale), which is
    sigmoid(2 * logit / squash_scale), so that the scores of all kinds can be multiplied and can weigh a vote. DPO: the
    likelihood itself, of which V-STaR takes the greatest.
    """
    if kind is RewardModelKind.DPO:
        return math.exp(min(0.0, logit))
    odds = logit if kind in (RewardModelKind.ORM, RewardModelKind.PRM) else 2 * logit / squash_scale
    if odds >= 0:
        return 1.0 / (1.0 + math.exp(-odds))
    small = math.exp(odds)  # in this form a very low score stays above 0 and can be told from a lower one
    return small / (1.0 + small)
