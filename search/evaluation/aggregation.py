"""Make one score of the scores of a solution's steps, in log-odds: large logits stay distinct there.

A step that is correct with probability p has the log-odds x = log(p / (1 - p)). p and tanh are 1.0 in floating point from
logits of about 20 on, x never saturates. Aggregations are defined on p, and computed from x without leaving the logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from search.data import Aggregation

Rank = tuple[float, ...]  # compared element by element: log-odds first, then what rounding has lost
NO_REWARD: Rank = (0.0,)
LOWEST: Rank = (-math.inf,)

LN_2 = math.log(2.0)
MANTISSA_BITS = 53
MAX_WEIGHT_BITS = 1 << 16  # weights more than 45,000 nats below the largest count as 0


def aggregate(scores: Sequence[float], aggregation: Aggregation) -> float:
    """Return one score for the scores of the steps, in order.

    Raises ValueError without scores, and for PRODUCT if one is no probability.
    """
    if not scores:
        raise ValueError("no step scores to aggregate")
    if aggregation is Aggregation.PRODUCT:
        if min(scores) < 0 or max(scores) > 1:
            raise ValueError(f"product of step scores wants probabilities in [0, 1], not {list(scores)}")
        return math.prod(scores)
    if aggregation is Aggregation.MIN:
        return min(scores)
    return scores[-1] if aggregation is Aggregation.LAST else fmean(scores)


def log_sigmoid(x: float) -> float:
    """Return log p of log-odds x; log(1 - p) is that of -x."""
    return x - math.log1p(math.exp(x)) if x < 0 else -math.log1p(math.exp(-x))


def log_sum_exp(values: Sequence[float]) -> float:
    """Return log(sum of exp(value)), the same for every order of the values."""
    top = max(values)
    return top if math.isinf(top) else top + math.log(math.fsum(math.exp(value - top) for value in values))


def aggregate_log_odds(log_odds: Sequence[float], aggregation: Aggregation) -> float:
    """Return the log-odds of the aggregated probability of steps with these log-odds, in order.

    PRODUCT: log p is the sum of the logarithms, and 1 - p = sum over i of (1 - p_i) * p_1 * … * p_(i-1), a sum of positive
    terms. So log-odds 50 and 60 give 50 - 4.5e-5, where the product of the probabilities is 1.0. Raises ValueError
    without steps.
    """
    if not log_odds:
        raise ValueError("no step scores to aggregate")
    if aggregation is Aggregation.LAST:
        return log_odds[-1]
    if aggregation is Aggregation.MIN:
        return min(log_odds)
    if aggregation is Aggregation.MEAN:
        correct, incorrect = [log_sigmoid(x) for x in log_odds], [log_sigmoid(-x) for x in log_odds]
        return log_sum_exp(correct) - log_sum_exp(incorrect)
    log_correct, log_incorrect = 0.0, []
    for x in sorted(log_odds):  # the same sum for every order of the steps
        log_incorrect.append(log_correct + log_sigmoid(-x))
        log_correct += log_sigmoid(x)
    return log_correct - log_sum_exp(log_incorrect)


def rank(log_odds: Sequence[float], aggregation: Aggregation) -> Rank:
    """Return what solutions are ordered by, the best highest: their aggregated log-odds.

    Equal sums of PRODUCT and MEAN are ordered by the lowest log-odds that differ: beside a step of -3 the product of 25
    and that of 30 are the same number, and 30 is better. A longer product of equal steps is worse.
    """
    first = aggregate_log_odds(log_odds, aggregation)
    if aggregation in (Aggregation.LAST, Aggregation.MIN):
        return (first,)
    return (first, *sorted(log_odds), math.inf)


def probability_weights(log_odds: Sequence[float]) -> list[int]:
    """Return weights of a vote proportional to the probabilities, as integers whose sums are exact.

    The unit is so small that probabilities next to 1 stay distinct: log-odds 50 and 60 weigh 1 - e^-50 and 1 - e^-60. An
    infinite x has the probability 0 or 1.
    """
    finite = [abs(x) for x in log_odds if math.isfinite(x)]
    bits = _bits(max(finite, default=0.0))
    whole = 1 << bits
    weights = []
    for x in log_odds:
        less = _to_ticks(log_sigmoid(-abs(x)), bits) if math.isfinite(x) else 0  # min(p, 1 - p)
        weights.append(whole - less if x > 0 else less)
    return weights


def exact_weights(log_weights: Sequence[float]) -> list[int]:
    """Return weights of a vote proportional to exp(log_weight), as integers whose sums are exact. All must be finite."""
    if not log_weights:
        return []
    top = max(log_weights)
    bits = _bits(top - min(log_weights))
    return [_to_ticks(weight - top, bits) for weight in log_weights]


def _bits(nats: float) -> int:
    """Return the bits of a fixed-point number in which e^-nats still has all of a float's digits."""
    return min(MAX_WEIGHT_BITS, MANTISSA_BITS + 2 + math.ceil(nats / LN_2))


def _to_ticks(log_value: float, bits: int) -> int:
    """Return exp(log_value), at most 1, as a multiple of 2^-bits."""
    exponent = math.floor(log_value / LN_2)
    mantissa = round(math.ldexp(math.exp2(log_value / LN_2 - exponent), MANTISSA_BITS))
    shift = bits + exponent - MANTISSA_BITS
    return mantissa << shift if shift >= 0 else mantissa >> -shift
