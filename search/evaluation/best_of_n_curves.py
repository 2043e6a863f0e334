"""Accuracy as a function of the number N of samples: best-of-N, majority, weighted vote and pass@N.

Every value is an expectation over all subsets of N samples of a problem, then a mean over problems.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from statistics import fmean

from search.data import Aggregation
from search.evaluation.aggregation import LOWEST, aggregate_log_odds, probability_weights, rank
from search.evaluation.confidence import Interval, mean_of_shares
from search.evaluation.voting import best_of_k, pass_at_k
from search.grading.voting import merged_keys
from search.seeds import derive

MAJORITY, WEIGHTED, ANY = "majority", "weighted", "any"
METHODS = (*Aggregation, MAJORITY, WEIGHTED, ANY)
TRIALS = 400  # random subsets of a size that has more than these, as in Let's Verify Step by Step
MAX_POINTS = 64  # a curve has every N up to here, and N in equal ratios beyond
TICKS = 1 << 40  # unit of vote weights that are no integers: sums of integers do not depend on the order of addition


@dataclass(frozen=True, slots=True)
class ScoredSample:
    """A sampled solution: the scores of its steps as log-odds, its answer, and whether that is correct.

    A sample without an answer (None) is incorrect, never votes and ranks below every sample with one, but takes its
    place among the N. Raises ValueError for impossible combinations.
    """

    log_odds: tuple[float, ...]
    answer: str | None
    correct: bool

    def __post_init__(self) -> None:
        if self.answer is None and self.correct:
            raise ValueError("a sample without an answer cannot be correct")
        if self.answer is not None and not self.log_odds:
            raise ValueError("a sample with an answer needs a score for each of its steps")


UNFINISHED = ScoredSample((), None, False)


def curve_sizes(largest: int) -> tuple[int, ...]:
    """Return the N of a curve: 1, 2, 3 … up to ``largest``, or at most MAX_POINTS in equal ratios, both ends included."""
    if largest <= MAX_POINTS:
        return tuple(range(1, largest + 1))
    return tuple(sorted({round(largest ** (i / (MAX_POINTS - 1))) for i in range(MAX_POINTS)}))


def accuracy_curves(
    problems: Sequence[Sequence[ScoredSample]], sizes: Sequence[int], vote_aggregation: Aggregation, seed: int = 0
) -> dict[str, list[Interval]]:
    """Return, for each of METHODS, the accuracy at each N of ``sizes`` with its 95 % interval over problems.

    ``vote_aggregation`` makes the weight of a sample in the weighted vote from its step scores. A problem with fewer
    samples than another is filled up with unfinished ones. The interval is Wilson's for the mean of a share per problem
    (``confidence.mean_of_shares``), without resampling; it is too wide rather than too narrow. It does not cover the
    error of votes over random subsets, which is at most 1 / 20 of it. Raises ValueError without samples.
    """
    if not problems or not any(problems):
        raise ValueError("no samples to draw curves from")
    largest = max(map(len, problems))
    by_problem = [
        problem_curves(
            [*samples, *[UNFINISHED] * (largest - len(samples))], sizes, vote_aggregation, derive(seed, index)
        )
        for index, samples in enumerate(problems)
    ]
    return {
        name: [mean_of_shares(values) for values in zip(*(curves[name] for curves in by_problem), strict=True)]
        for name in METHODS
    }


def problem_curves(
    samples: Sequence[ScoredSample], sizes: Sequence[int], vote_aggregation: Aggregation, seed: int = 0
) -> dict[str, list[float]]:
    """Return, for each of METHODS, the expected correctness of its choice among N samples, for each N of ``sizes``."""
    correct = [sample.correct for sample in samples]
    curves: dict[str, list[float]] = {}
    for aggregation in Aggregation:
        ranks = [LOWEST if sample.answer is None else rank(sample.log_odds, aggregation) for sample in samples]
        curves[aggregation] = [best_of_k(correct, ranks, size) for size in sizes]
    weights = probability_weights(
        [
            -math.inf if sample.answer is None else aggregate_log_odds(sample.log_odds, vote_aggregation)
            for sample in samples
        ]
    )
    answers = [sample.answer for sample in samples]
    curves[MAJORITY] = vote_curve(answers, correct, [1.0] * len(samples), sizes, seed)
    curves[WEIGHTED] = vote_curve(answers, correct, weights, sizes, seed)
    curves[ANY] = [pass_at_k(correct, size) for size in sizes]
    return curves


@dataclass(frozen=True, slots=True)
class Vote:
    """The vote of one sample. Equal answers have the same ``name``; None does not vote. ``weight`` is in ticks."""

    name: str | None
    correct: bool
    weight: int


def vote_curve(
    answers: Sequence[str | None],
    correct: Sequence[bool],
    weights: Sequence[float],
    sizes: Sequence[int],
    seed: int = 0,
    trials: int = TRIALS,
) -> list[float]:
    """Return the expected correctness of the vote of N samples drawn without replacement, for each N of ``sizes``.

    The estimate is unbiased. It is exact if there are at most ``trials`` subsets of N, always for N = all. The other N
    share ``trials`` seeded random orders of all samples, each of which votes with its first N. Answers with equal sums
    of weights share the win. Integer weights are added exactly. Raises ValueError for an N out of range.
    """
    total = len(answers)
    if any(not 1 <= size <= total for size in sizes):
        raise ValueError(f"N must lie between 1 and the number of samples, {total}, not {list(sizes)}")
    keys = merged_keys(answers)
    votes = [
        Vote(
            None if answer is None else keys[answer],
            is_correct,
            weight if isinstance(weight, int) else round(weight * TICKS),
        )
        for answer, is_correct, weight in zip(answers, correct, weights, strict=True)
    ]
    exact = {
        size: fmean(list(_running_wins(subset))[-1] for subset in combinations(votes, size))
        for size in set(sizes)
        if math.comb(total, size) <= trials
    }
    sampled = [size for size in sizes if size not in exact]
    sums = dict.fromkeys(sampled, 0.0)
    rng = random.Random(derive("votes", seed))
    for _ in range(trials if sampled else 0):
        wins = list(islice(_running_wins(rng.sample(votes, total)), max(sampled)))
        for size in sampled:
            sums[size] += wins[size - 1]
    return [exact[size] if size in exact else sums[size] / trials for size in sizes]


def _running_wins(votes: Sequence[Vote]) -> Iterator[float]:
    """Yield, after each vote, the share in [0, 1] of the win that goes to correct answers."""
    sums: dict[str, int] = {}
    counts: dict[str, list[int]] = {}  # by name: [correct votes, votes]
    leaders: list[str] = []
    win, best = 0.0, -1
    for vote in votes:
        name = vote.name
        if name is not None:
            total = sums[name] = sums.get(name, 0) + vote.weight
            count = counts.setdefault(name, [0, 0])
            count[0] += vote.correct
            count[1] += 1
            if total > best:
                best, leaders = total, [name]
            elif total == best and name not in leaders:
                leaders.append(name)
            win = sum(counts[leader][0] / counts[leader][1] for leader in leaders) / len(leaders)
        yield win
