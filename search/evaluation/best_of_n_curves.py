"""What solutions are worth by their number N: best-of-N under each aggregation, majority, weighted vote, any right one.

Pure functions over judged samples. Every value is an expectation over all subsets of N samples of a problem, then a mean
over problems. Knows no models and no trees.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from statistics import fmean

from search.evaluation.confidence import Interval, mean_of_shares
from search.evaluation.voting import Aggregation, aggregate, best_of_k, pass_at_k
from search.grading.answers import canonical
from search.seeds import derive

MAJORITY, WEIGHTED, ANY = "majority", "weighted", "any"
METHODS = (*Aggregation, MAJORITY, WEIGHTED, ANY)
TRIALS = 400  # random subsets of a size that has more, as in Let's Verify Step by Step
MOST_POINTS = 64  # N is looked at one by one up to here, and in equal ratios beyond
TICKS = 1 << 40  # weights are counted in these, so that equal sums are equal whatever order they were added in


@dataclass(frozen=True, slots=True)
class JudgedSample:
    """One solution: the scores of its steps in [0, 1], its answer, and whether that is right.

    ``answer`` None: it has no end. Such a sample is wrong, is never preferred to one with an answer and never votes, but
    takes its place among the N. Raises ValueError for what cannot be.
    """

    scores: tuple[float, ...]
    answer: str | None
    right: bool

    def __post_init__(self) -> None:
        if self.answer is None and self.right:
            raise ValueError("a sample without an answer cannot be right")
        if self.answer is not None and not self.scores:
            raise ValueError("a sample with an answer needs a score for each of its steps")


UNFINISHED = JudgedSample((), None, False)
BELOW_ALL = -1.0  # the score of an unfinished sample


def points(most: int) -> tuple[int, ...]:
    """The N of a curve: 1, 2, 3 … up to ``most``; beyond MOST_POINTS so many in equal ratios, first and last included."""
    if most <= MOST_POINTS:
        return tuple(range(1, most + 1))
    return tuple(sorted({round(most ** (i / (MOST_POINTS - 1))) for i in range(MOST_POINTS)}))


def curves(
    problems: Sequence[Sequence[JudgedSample]], sizes: Sequence[int], weigh_by: Aggregation, seed: int = 0
) -> dict[str, list[Interval]]:
    """For each of METHODS its accuracy at each N of ``sizes``, with the 95 % interval over problems.

    A problem with fewer samples than another has unfinished ones instead. The interval is Wilson's for the mean of a
    share a problem (``intervals.mean_of_shares``): no resampling; it is too wide rather than too narrow, and it does not
    cover the error of votes over random subsets, which is at most 1 / 20 of it.
    """
    if not problems or not any(problems):
        raise ValueError("no samples to draw curves from")
    most = max(map(len, problems))
    found = [
        problem_curves([*samples, *[UNFINISHED] * (most - len(samples))], sizes, weigh_by, derive(seed, index))
        for index, samples in enumerate(problems)
    ]
    return {
        name: [mean_of_shares(values) for values in zip(*(one[name] for one in found), strict=True)] for name in METHODS
    }


def problem_curves(
    samples: Sequence[JudgedSample], sizes: Sequence[int], weigh_by: Aggregation, seed: int = 0
) -> dict[str, list[float]]:
    """For each of METHODS the expected correctness of what it picks from N of these samples, for each N of ``sizes``."""
    right = [sample.right for sample in samples]
    found: dict[str, list[float]] = {}
    for how in Aggregation:
        scores = [BELOW_ALL if sample.answer is None else aggregate(sample.scores, how) for sample in samples]
        found[how] = [best_of_k(right, scores, size) for size in sizes]
    weights = [0.0 if sample.answer is None else aggregate(sample.scores, weigh_by) for sample in samples]
    answers = [sample.answer for sample in samples]
    found[MAJORITY] = vote_curve(answers, right, [1.0] * len(samples), sizes, seed)
    found[WEIGHTED] = vote_curve(answers, right, weights, sizes, seed)
    found[ANY] = [pass_at_k(right, size) for size in sizes]
    return found


@dataclass(frozen=True, slots=True)
class Vote:
    """A sample at the ballot: the name under which equal answers meet, None for no answer; weight in ticks."""

    name: str | None
    right: bool
    weight: int


def vote_curve(
    answers: Sequence[str | None],
    correct: Sequence[bool],
    weights: Sequence[float],
    sizes: Sequence[int],
    seed: int = 0,
    trials: int = TRIALS,
) -> list[float]:
    """Expected correctness of the vote of N samples drawn without replacement, for each N of ``sizes``. Unbiased.

    Exact where there are no more than ``trials`` subsets of N, always at N = all. The other N share ``trials`` seeded
    random orders of all samples, of which each takes the first N. Answers with equal sums of weights share the win.
    """
    total = len(answers)
    if any(not 1 <= size <= total for size in sizes):
        raise ValueError(f"N must lie between 1 and the number of samples, {total}, not {list(sizes)}")
    votes = [
        Vote(None if answer is None else canonical(answer), flag, round(weight * TICKS))
        for answer, flag, weight in zip(answers, correct, weights, strict=True)
    ]
    exact = {
        size: fmean(list(_wins(subset))[-1] for subset in combinations(votes, size))
        for size in set(sizes)
        if math.comb(total, size) <= trials
    }
    drawn = [size for size in sizes if size not in exact]
    sums = dict.fromkeys(drawn, 0.0)
    rng = random.Random(derive("votes", seed))
    for _ in range(trials if drawn else 0):
        wins = list(islice(_wins(rng.sample(votes, total)), max(drawn)))
        for size in drawn:
            sums[size] += wins[size - 1]
    return [exact[size] if size in exact else sums[size] / trials for size in sizes]


def _wins(votes: Sequence[Vote]) -> Iterator[float]:
    """After each vote the share in [0, 1] of the win that goes to right answers."""
    sums: dict[str, int] = {}
    tally: dict[str, list[int]] = {}  # right votes and votes of a name
    leaders: list[str] = []
    win, best = 0.0, -1
    for vote in votes:
        name = vote.name
        if name is not None:
            total = sums[name] = sums.get(name, 0) + vote.weight
            counts = tally.setdefault(name, [0, 0])
            counts[0] += vote.right
            counts[1] += 1
            if total > best:
                best, leaders = total, [name]
            elif total == best and name not in leaders:
                leaders.append(name)
            win = sum(tally[one][0] / tally[one][1] for one in leaders) / len(leaders)
        yield win
