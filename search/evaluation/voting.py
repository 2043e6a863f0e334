"""Choice of one answer among several: majority, weighted vote and best-of-N, and their expected accuracies.

Votes compare answers by a key, by default ``search.grading.voting.canonical``; evaluation passes ``merged_keys`` of the
same module, which merges groups by algebra. None is a sample without an answer: it never wins a vote and counts as
incorrect.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, groupby
from statistics import fmean
from typing import TypeVar

from search.evaluation.aggregation import Rank
from search.grading.voting import canonical

Key = Callable[[str], str]
Score = TypeVar("Score", float, Rank)  # what samples are ordered by, the best highest


def majority(answers: Sequence[str | None], key: Key = canonical) -> str | None:
    """Return the most frequent answer as first written, the first seen among equals; None without answers."""
    return weighted_vote(answers, [1.0] * len(answers), key)


def weighted_vote(answers: Sequence[str | None], weights: Sequence[float], key: Key = canonical) -> str | None:
    """Return the answer with the largest sum of weights; ties as in ``majority``. Raises ValueError for a weight < 0.

    Sums of integers are exact, whatever their size (``aggregation.exact_weights``).
    """
    candidates, sums = vote_sums(answers, weights, key)
    best = max(range(len(sums)), key=sums.__getitem__, default=None)  # max returns the first of equals
    return None if best is None else candidates[best]


def vote_sums(
    answers: Sequence[str | None], weights: Sequence[float], key: Key = canonical
) -> tuple[list[str], list[float]]:
    """Return the different answers as first written, and the sum of the weights of each."""
    if any(not weight >= 0 for weight in weights):
        raise ValueError(f"weights of a vote must be 0 or more, not {min(weights)}")
    first_written: dict[str, str] = {}
    sums: dict[str, float] = {}
    for answer, weight in zip(answers, weights, strict=True):
        if answer is not None:
            name = key(answer)
            first_written.setdefault(name, answer)
            sums[name] = sums.get(name, 0) + weight
    return list(first_written.values()), list(sums.values())


def top_answers(answers: Sequence[str | None], scores: Sequence[Score], key: Key = canonical) -> int:
    """Return how many different answers have the highest score; 0 without answers."""
    answered = [(score, answer) for answer, score in zip(answers, scores, strict=True) if answer is not None]
    top = max((score for score, _ in answered), default=None)
    best = [answer for score, answer in answered if score == top]
    return len(best) if len(best) < 2 else len({key(answer) for answer in best})


def best_of_n(answers: Sequence[str | None], scores: Sequence[Score]) -> str | None:
    """Return the answer with the highest score, the first of equals; None without answers."""
    answered = [(score, answer) for answer, score in zip(answers, scores, strict=True) if answer is not None]
    return max(answered, key=lambda pair: pair[0])[1] if answered else None


def best_of_k(correct: Sequence[bool], scores: Sequence[Score], k: int) -> float:
    """Return the expected correctness of the best-scored of k samples drawn without replacement, in [0, 1]. Unbiased.

    V-STaR (arXiv 2402.06457): with the N samples sorted by score, best first, and a_i = 1 if sample i is correct,
    sum over i = 0 … N - k of C(N - i - 1, k - 1) * a_i, over C(N, k). Among equal scores the choice is random, so each
    a_i is the mean of its tied group. Of three samples only the best is correct, k = 2: (2·1 + 1·0) / 3.
    """
    total = len(correct)
    _check_k(k, total)
    ranked = sorted(zip(scores, correct, strict=True), key=lambda pair: pair[0], reverse=True)
    expected: list[float] = []
    for _, tied in groupby(ranked, key=lambda pair: pair[0]):
        group = [is_correct for _, is_correct in tied]
        expected.extend([fmean(group)] * len(group))
    return min(1.0, math.fsum(weight * a for weight, a in zip(_rank_weights(total, k), expected, strict=False)))


def _rank_weights(total: int, k: int) -> Iterator[float]:
    """Yield, for i = 0 … total - k, the chance C(total - i - 1, k - 1) / C(total, k) that sample i is the best of k.

    Each is computed from the one before, because the binomials of 2000 samples exceed floating-point numbers.
    """
    weight = k / total
    for i in range(total - k + 1):
        yield weight
        weight *= (total - i - k) / max(1, total - i - 1)


def pass_at_k(correct: Sequence[bool], k: int) -> float:
    """Return the chance that k samples drawn without replacement contain a correct one (arXiv 2107.03374).

    With c of N samples correct: 1 - C(N - c, k) / C(N, k).
    """
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
    """Return the expected correctness of the majority of k samples drawn without replacement, in [0, 1]. Unbiased.

    Exact if there are at most ``trials`` subsets (always for k = N), else the mean over ``trials`` seeded random
    subsets. Equally frequent answers share the win, as they would if the first seen won in a random order.
    """
    total = len(answers)
    _check_k(k, total)
    votes = [
        (None if answer is None else key(answer), float(is_correct))
        for answer, is_correct in zip(answers, correct, strict=True)
    ]
    if math.comb(total, k) <= trials:
        return fmean(_correct_win(subset) for subset in combinations(votes, k))
    rng = random.Random(seed)
    return fmean(_correct_win(rng.sample(votes, k)) for _ in range(trials))


def _correct_win(votes: Sequence[tuple[str | None, float]]) -> float:
    """Return the share of the majority's win that goes to correct answers."""
    groups: dict[str, list[float]] = {}
    for name, is_correct in votes:
        if name is not None:
            groups.setdefault(name, []).append(is_correct)
    if not groups:
        return 0.0
    largest = max(map(len, groups.values()))
    return fmean(fmean(group) for group in groups.values() if len(group) == largest)


def _check_k(k: int, total: int) -> None:
    if not 1 <= k <= total:
        raise ValueError(f"k must lie between 1 and the number of samples, {total}, not {k}")
