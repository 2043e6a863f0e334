"""Kinds of reward models: the labels of their heads, and how their outputs become logits and probabilities."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from search.data import Aggregation


class RewardModelKind(StrEnum):
    """Training target of a reward model."""

    PPM = "ppm"  # ranks steps (rStar-Math)
    Q_REGRESSION = "q_regression"  # predicts the Q-value of a step
    ORM = "orm"  # predicts whether the solution will be correct
    DPO = "dpo"  # gives correct solutions a higher likelihood: a language model, not a classifier (V-STaR)
    PRM = "prm"  # classifies a step as correct, neutral or incorrect (Let's Verify Step by Step)


PRM_CLASSES = ("correct", "neutral", "incorrect")  # in the order of the outputs
LIKELIHOOD_UNIT = 32.0  # nats: tanh(log-likelihood / unit) still separates solutions of a hundred nats


def sigmoid(log_odds: float) -> float:
    """Return the probability of log-odds; very low ones stay above 0 and distinct."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1.0 + odds)


def squash(logit: float, scale: float) -> float:
    """Return the process reward tanh(logit / scale) in [-1, 1] (rStar-Math, section 3.3; its code has scale 5)."""
    return math.tanh(logit / scale)


def value_log_odds(logit: float, scale: float) -> float:
    """Return the log-odds 2 * logit / scale of (1 + v) / 2, where v is the squashed logit; it never saturates."""
    return 2 * logit / scale


def likelihood_log_odds(log_likelihood: float) -> float:
    """Return the log-odds of a likelihood; infinite for a likelihood of 1 or more."""
    if log_likelihood >= 0:
        return math.inf
    likelihood = math.exp(log_likelihood)
    rest = math.log1p(-likelihood) if likelihood < 0.5 else math.log(-math.expm1(log_likelihood))
    return log_likelihood - rest


@dataclass(frozen=True, slots=True, kw_only=True)
class KindEntry:
    """What the registry holds for a kind.

    Attributes:
        kind: its name.
        labels: labels of the outputs, as ``id2label`` in the model's config.json has them.
        logit_unit: u with which value = tanh(logit / u) in [-1, 1] means what the model was trained to predict.
        log_odds: (logit, squash_scale) -> log-odds of the score of a step; increases with the logit.
        aggregation: how the scores of steps become the score of a solution unless the config says otherwise. A model trained
            on Monte-Carlo estimates ranks solutions best by their last step, one trained on labels of people or of another
            model by the product (Lessons of Developing PRMs, arXiv 2501.07301; Let's Verify Step by Step, section 2.6).
        is_language_model: a causal language model whose likelihood is the score, not a classifier.
    """

    kind: RewardModelKind
    labels: tuple[str, ...]
    logit_unit: float
    log_odds: Callable[[float, float], float]
    aggregation: Aggregation = Aggregation.LAST
    is_language_model: bool = False


# A new kind is one member of RewardModelKind and one entry here.
KINDS: dict[RewardModelKind, KindEntry] = {
    entry.kind: entry
    for entry in (
        # The value of a PPM and of a Q-regression is v = tanh(logit): (1 + v) / 2 = sigmoid(2 * logit / squash_scale).
        KindEntry(
            kind=RewardModelKind.PPM,
            labels=("reward",),
            logit_unit=1.0,
            log_odds=value_log_odds,
        ),
        KindEntry(
            kind=RewardModelKind.Q_REGRESSION,
            labels=("value",),
            logit_unit=1.0,
            log_odds=value_log_odds,
        ),
        # An ORM and a PRM give log-odds: 2 * sigmoid(logit) - 1 = tanh(logit / 2).
        KindEntry(
            kind=RewardModelKind.ORM,
            labels=("correct",),
            logit_unit=2.0,
            log_odds=lambda logit, scale: logit,
        ),
        KindEntry(
            kind=RewardModelKind.PRM,
            labels=PRM_CLASSES,
            logit_unit=2.0,
            log_odds=lambda logit, scale: logit,
            aggregation=Aggregation.PRODUCT,
        ),
        # The likelihood itself, by which V-STaR ranks solutions.
        KindEntry(
            kind=RewardModelKind.DPO,
            labels=("likelihood",),
            logit_unit=LIKELIHOOD_UNIT,
            log_odds=lambda logit, scale: likelihood_log_odds(logit),
            is_language_model=True,
        ),
    )
}
KIND_BY_LABELS = {entry.labels: entry.kind for entry in KINDS.values()}


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
    """Return the ``KindEntry.logit_unit`` of a kind. An unknown kind counts as a PPM."""
    return KINDS[kind or RewardModelKind.PPM].logit_unit


def probability(logit: float, kind: RewardModelKind, squash_scale: float = 1.0) -> float:
    """Return the score of a step in [0, 1], so that the scores of all kinds can be multiplied and can weigh votes."""
    return sigmoid(KINDS[kind].log_odds(logit, squash_scale))


def log_odds(logit: float, kind: RewardModelKind, squash_scale: float = 1.0) -> float:
    """Return the log-odds of ``probability``: solutions are ranked and votes are weighted by them."""
    return KINDS[kind].log_odds(logit, squash_scale)
