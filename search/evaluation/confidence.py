"""How sure a measured number is: 95 % intervals for shares, means and paired differences. Knows numbers only."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

Z95 = 1.959963984540054  # two-sided 95 % point of the normal distribution


@dataclass(frozen=True, slots=True)
class Interval:
    """A measured mean and its 95 % interval; ``n`` is the number of problems behind it."""

    mean: float
    low: float
    high: float
    n: int


def wilson(right: float, n: int, z: float = Z95) -> Interval:
    """Wilson's score interval for a share of ``right`` out of ``n`` (Wilson 1927), inside [0, 1]. ValueError for n < 1.

    With p = right / n: (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n).
    """
    if n < 1 or not 0 <= right <= n:
        raise ValueError(f"a share needs 0 <= right <= n and n >= 1, not right = {right}, n = {n}")
    share = right / n
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    return Interval(share, max(0.0, min(middle - reach, share)), min(1.0, max(middle + reach, share)), n)


def mean_of_shares(values: Sequence[float]) -> Interval:
    """Wilson's interval for the mean of a value in [0, 1] a problem, such as an expected best-of-k.

    Not too narrow: of all values in [0, 1] with mean p, zeros and ones have the largest variance, p(1 - p), and Wilson
    assumes just that. Unlike a bootstrap it does not shrink to a point where all problems are right, or all wrong.
    """
    if any(not 0 <= value <= 1 for value in values):
        raise ValueError("shares must lie in [0, 1]")
    return wilson(min(math.fsum(values), float(len(values))), len(values))


def bootstrap_mean(values: Sequence[float], seed: int = 0, resamples: int = 2000) -> Interval:
    """Percentile bootstrap over problems for the mean of any per-problem value (Efron 1979). ValueError when empty."""
    if not values:
        raise ValueError("no values to resample")
    rng = random.Random(seed)
    means = sorted(fmean(rng.choices(values, k=len(values))) for _ in range(resamples))
    return Interval(fmean(values), _quantile(means, 0.025), _quantile(means, 0.975), len(values))


def paired_difference(
    first: Sequence[float], second: Sequence[float], seed: int = 0, resamples: int = 2000
) -> Interval:
    """Bootstrap interval for mean(first) - mean(second) where both were measured on the same problems, in one order.

    Problems are resampled, not values, so that what both find hard cancels. ValueError if the lengths differ.
    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    return bootstrap_mean(differences, seed, resamples)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between the order statistics at (n - 1) * share."""
    position = (len(ordered) - 1) * share
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)
