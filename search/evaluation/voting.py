"""From several answers to one: majority, weighted vote, best of N, and what they are worth on average. Pure functions.

Answers meet in a vote by a key (``search.grading.answers.canonical`` unless told otherwise); None stands for a sample without an
answer: it never wins a vote and counts as wrong. Knows no models and no trees.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import combinations, groupby
from statistics import fmean

from search.grading.answers import canonical

Key = Callable[[str], str]


class Aggregation(StrEnum):
    """How the scores of a solution's steps become the score of the solution."""

    PRODUCT = "product"  # of step probabilities (Let's Verify Step by Step, section 2.4)
    MIN = "min"
    LAST = "last"
    MEAN = "mean"


def aggregate(scores: Sequence[float], how: Aggregation) -> float:
    """One score from the scores of the steps, in order. ``product`` wants probabilities: ValueError outside [0, 1]."""
    if not scores:
        raise ValueError("no step scores to aggregate")
    if how is Aggregation.PRODUCT:
        if min(scores) < 0 or max(scores) > 1:
            raise ValueError(f"product of step scores wants probabilities in [0, 1], not {list(scores)}")
        return math.prod(scores)
    if how is Aggregation.MIN:
        return min(scores)
    return scores[-1] if how is Aggregation.LAST else fmean(scores)


def majority(answers: Sequence[str | None], key: Key = canonical) -> str | None:
    """The most frequent answer as it was first written; of equally frequent ones the first seen. None without any."""
    return weighted_vote(answers, [1.0] * len(answers), key)


def weighted_vote(answers: Sequence[str | None], weights: Sequence[float], key: Key = canonical) -> str | None:
    """The answer with the largest sum of weights; ties as in ``majority``. Weights must not be negative (ValueError)."""
    if any(not weight >= 0 for weight in weights):
        raise ValueError(f"weights of a vote must be 0 or more, not {min(weights)}")
    written: dict[str, str] = {}
    sums: dict[str, float] = {}
    for answer, weight in zip(answers, weights, strict=True):
        if answer is not None:
            name = key(answer)
            written.setdefault(name, answer)
            sums[name] = sums.get(name, 0.0) + weight
    return written[max(sums, key=sums.__getitem__)] if sums else None  # max keeps the first of equals


def best_of_n(answers: Sequence[str | None], scores: Sequence[float]) -> str | None:
    """The answer with the highest score, the first of equals; samples without an answer are passed over."""
    answered = [(score, answer) for answer, score in zip(answers, scores, strict=True) if answer is not None]
    return max(answered, key=lambda pair: pair[0])[1] if answered else None


def best_of_k(correct: Sequence[bool], scores: Sequence[float], k: int) -> float:
    """Expected correctness of the best-scored of k samples drawn without replacement from these N, in [0, 1]. Unbiased.

    V-STaR (arXiv 2402.06457): with samples sorted by score, best first, and a_i = 1 where sample i is right,
    sum over i = 0 … N - k of C(N - i - 1, k - 1) * a_i, over C(N, k). Among equal scores the pick is taken to be
    random, so that each a_i is the mean of its tied group. Right of three, best only, k = 2: (2·1 + 1·0) / 3.
    """
    total = len(correct)
    _check_k(k, total)
    ranked = sorted(zip(scores, correct, strict=True), key=lambda pair: -pair[0])
    right: list[float] = []
    for _, tied in groupby(ranked, key=lambda pair: pair[0]):
        group = [flag for _, flag in tied]
        right.extend([fmean(group)] * len(group))
    return min(1.0, math.fsum(weight * a for weight, a in zip(_first_weights(total, k), right, strict=False)))


def _first_weights(total: int, k: int) -> Iterator[float]:
    """For i = 0 … total - k the chance that sample i is the best-ranked of k: C(total - i - 1, k - 1) / C(total, k).

    Each from the one before, because the binomials of 2000 samples are no floating-point numbers any more.
    """
    weight = k / total
    for i in range(total - k + 1):
        yield weight
        weight *= (total - i - k) / max(1, total - i - 1)


def pass_at_k(correct: Sequence[bool], k: int) -> float:
    """Chance that k samples drawn without replacement hold a right one: 1 - C(N - c, k) / C(N, k) (arXiv 2107.03374)."""
    _check_k(k, len(correct))
    return 1.0 - math.comb(len(correct) - sum(correct), k) / math.comb(len(correct), k)


def majority_at_k(
    answers: Sequence[str | None],
    correct: Sequence[bool],
    k: int,
    seed: int = 0,
    trials: int = 400,
    key: Key = canonical,
) -> float:
    """Expected correctness of the majority of k samples drawn without replacement from these N, in [0, 1]. Unbiased.

    Exact while there are no more than ``trials`` subsets (always at k = N), else the mean over ``trials`` seeded random
    subsets. Equally frequent answers share the win, as they would if the first seen won in a random order.
    """
    total = len(answers)
    _check_k(k, total)
    votes = [
        (None if answer is None else key(answer), float(flag)) for answer, flag in zip(answers, correct, strict=True)
    ]
    if math.comb(total, k) <= trials:
        return fmean(_shared_win(subset) for subset in combinations(votes, k))
    rng = random.Random(seed)
    return fmean(_shared_win(rng.sample(votes, k)) for _ in range(trials))


def _shared_win(votes: Sequence[tuple[str | None, float]]) -> float:
    groups: dict[str, list[float]] = {}
    for name, flag in votes:
        if name is not None:
            groups.setdefault(name, []).append(flag)
    if not groups:
        return 0.0
    most = max(len(flags) for flags in groups.values())
    return fmean(fmean(flags) for flags in groups.values() if len(flags) == most)


def _check_k(k: int, total: int) -> None:
    if not 1 <= k <= total:
        raise ValueError(f"k must lie between 1 and the number of samples, {total}, not {k}")
