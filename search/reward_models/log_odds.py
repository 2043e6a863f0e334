"""Arithmetic of rewards: logits, log-odds, probabilities, values."""

from __future__ import annotations

import math
from collections.abc import Sequence

PRM_CLASSES = ("correct", "neutral", "incorrect")  # in the order of the outputs


def sigmoid(log_odds: float) -> float:
    """Return the probability of log-odds; very low ones stay above 0 and distinct."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1.0 + odds)


def to_log_odds(probability: float) -> float:
    """Return log(p / (1 - p)) of a probability strictly between 0 and 1."""
    return math.log(probability) - math.log1p(-probability)


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


def log_sum_exp(values: Sequence[float]) -> float:
    """Return log(e^a + e^b + …), without overflow."""
    high = max(values)
    return high + math.log(math.fsum(math.exp(value - high) for value in values))


def class_log_odds(outputs: Sequence[float], positive: Sequence[int]) -> float:
    """Return the log-odds that the class is a ``positive`` one, of the outputs before a softmax.

    log(P(positive) / P(others)) = logsumexp(positive outputs) - logsumexp(other outputs): no probability is computed, so
    nothing saturates.
    """
    others = [output for index, output in enumerate(outputs) if index not in positive]
    return log_sum_exp([outputs[index] for index in positive]) - log_sum_exp(others)


def to_logit(outputs: Sequence[float], *, neutral_is_correct: bool = True) -> float:
    """Return a head's only output, or the log-odds of P(correct) + P(neutral) of a head with three.

    log((e^c + e^n) / e^i) = logsumexp(c, n) - i for the outputs c, n, i of PRM_CLASSES. Unless ``neutral_is_correct`` it is
    that of P(correct) alone, c - logsumexp(n, i): probabilities 0.5, 0.3, 0.2 have odds 0.8 / 0.2 or 0.5 / 0.5. Raises
    ValueError for any other number of outputs.
    """
    if len(outputs) == 1:
        return outputs[0]
    if len(outputs) != len(PRM_CLASSES):
        raise ValueError(
            f"a reward model has one output, or {len(PRM_CLASSES)} ({', '.join(PRM_CLASSES)}), not {len(outputs)}"
        )
    return class_log_odds(outputs, (0, 1) if neutral_is_correct else (0,))
