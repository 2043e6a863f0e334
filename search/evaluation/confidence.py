"""Confidence intervals at 95 % for shares, means and paired differences."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

Z95 = 1.959963984540054  # two-sided 95 % point of the normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean and its 95 % interval; ``n`` is the number of problems behind it."""

    mean: float
    low: float
    high: float
    n: int


def wilson(successes: float, n: int, z: float = Z95) -> Interval:
    """Return Wilson's score interval for a share (Wilson 1927), inside [0, 1]. Raises ValueError for n < 1.

    With p = successes / n: (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n).
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"a share needs 0 <= successes <= n and n >= 1, not successes = {successes}, n = {n}")
    share = successes / n
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    return Interval(
        mean=share, low=max(0.0, min(middle - reach, share)), high=min(1.0, max(middle + reach, share)), n=n
    )


def mean_of_shares(values: Sequence[float]) -> Interval:
    """Return Wilson's interval for the mean of one value in [0, 1] per problem, such as an expected best-of-k.

    It is not too narrow: of all values in [0, 1] with mean p, zeros and ones have the largest variance, p(1 - p), which
    is what Wilson assumes. Unlike a bootstrap it does not shrink to a point if all problems are correct, or none.
    """
    if any(not 0 <= value <= 1 for value in values):
        raise ValueError("shares must lie in [0, 1]")
    return wilson(min(math.fsum(values), float(len(values))), len(values))


def bootstrap_mean(values: Sequence[float], seed: int = 0, resamples: int = 2000) -> Interval:
    """Return the percentile bootstrap interval over problems for the mean of any value per problem (Efron 1979).

    Raises ValueError without values.
    """
    if not values:
        raise ValueError("no values to resample")
    rng = random.Random(seed)
    means = sorted(fmean(rng.choices(values, k=len(values))) for _ in range(resamples))
    return Interval(mean=fmean(values), low=_quantile(means, 0.025), high=_quantile(means, 0.975), n=len(values))


def paired_difference(
    first: Sequence[float], second: Sequence[float], seed: int = 0, resamples: int = 2000
) -> Interval:
    """Return the bootstrap interval for mean(first) - mean(second), measured on the same problems in the same order.

    Problems are resampled, not values, so that their difficulty cancels. Raises ValueError if the lengths differ.
    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    return bootstrap_mean(differences, seed, resamples)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return the linear interpolation between the order statistics at (n - 1) * share."""
    position = (len(ordered) - 1) * share
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)
