"""Estimate the time that a search still takes, from rollouts and tokens done.

The share of finished trees says little for most of a search, because trees grow side by side and end late. So the
estimate counts what is done in unfinished trees too:

    tokens left  = tokens a rollout * rollouts left        where the strategy has a fixed number of rollouts a tree
                 = tokens a finished tree * trees - tokens so far        elsewhere
    seconds left = tokens left / tokens a second, at least those of the tree that has the most left

Rates are those of the later half of the search so far: a slow begin, and first rollouts that are longer than later ones,
are forgotten.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from actors.stats import WorkerStats
from actors.workers.messages import TreeSummary

MIN_FINISHED_SHARE = 0.05  # of the trees, before the tokens of a tree are estimated from them
MIN_FINISHED = 5  # trees, before those that have not begun are expected to be like them
PARTLY_DONE = 0.25  # of the next rollout, on average over the growing trees
SLOPE_ROUNDS = 3.0  # rollouts a growing tree from which on the slope is trusted alone
MAX_SAMPLES = 1000  # of a long search every second one is dropped


@dataclass(frozen=True, slots=True)
class Sample:
    """Tokens and rollouts done up to a time, those of unfinished trees included, and the trees that grew then."""

    time: float
    tokens: int
    rollouts: int
    trees: int


@dataclass(slots=True)
class TimeEstimate:
    """Estimate for a search of ``trees`` trees with ``rollouts`` each (None: the strategy has no such number).

    Several trees of one problem count one by one. ``clock`` returns seconds.
    """

    trees: int
    rollouts: int | None
    clock: Callable[[], float] = monotonic
    _finished: int = 0
    _finished_rollouts: int = 0
    _finished_tokens: int = 0
    _now: WorkerStats = field(default_factory=WorkerStats)
    _tokens: int = 0
    _has_basis: bool = False
    _samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._samples.append(Sample(self.clock(), 0, 0, 0))

    def on_summary(self, summary: TreeSummary) -> None:
        """Count a finished tree, which the last heartbeat does not count as growing any more."""
        self._finished += 1
        self._finished_rollouts += summary.rollouts
        self._finished_tokens += summary.cost.generated_tokens
        self._samples[-1] = self._sample()

    def on_stats(self, now: WorkerStats, tokens: int) -> None:
        """Record the sum of the workers' last heartbeats, and the tokens generated so far."""
        self._now, self._tokens = now, tokens
        self._samples.append(self._sample())
        if len(self._samples) > MAX_SAMPLES:
            del self._samples[1::2]

    def seconds_left(self) -> float | None:
        """Return the estimated seconds to the end, None where there is nothing to estimate them from yet."""
        if self._finished >= self.trees:
            return 0.0
        tokens_left = self._tokens_by_trees() if self.rollouts is None else self._tokens_by_rollouts(self.rollouts)
        rate = self._token_rate()
        if tokens_left is None or not rate:
            return None
        growing, waiting = tokens_left
        seconds = max((growing + waiting) / rate, self._seconds_of_longest(growing, rate))
        return max(0.0, seconds - (self.clock() - self._samples[-1].time))

    def _seconds_of_longest(self, growing: float, rate: float) -> float:
        """Return the seconds for the tree with the most left, of ``growing`` tokens in all, at the mean rate of a tree.

        A tree is one request after the other, so the last trees do not become faster when the others have ended.
        """
        if not self._now.tokens_left:
            return 0.0
        later = self._samples[self._half_index() :]
        trees = sum(sample.trees for sample in later) / len(later)
        return self._now.longest_tokens_left / self._now.tokens_left * growing / rate * trees

    def _sample(self) -> Sample:
        rollouts = self._finished_rollouts + self._now.active_rollouts
        return Sample(self.clock(), self._tokens, rollouts, self._now.active_trees)

    def _token_rate(self) -> float:
        last = self._samples[-1]
        first = self._samples[self._half_index()]
        first = first if last.tokens > first.tokens else self._samples[0]
        return (last.tokens - first.tokens) / (last.time - first.time) if last.time > first.time else 0.0

    def _tokens_by_trees(self) -> tuple[float, float] | None:
        """Return what ``_tokens_by_rollouts`` returns, from the tokens of finished trees."""
        if self._finished < max(1.0, MIN_FINISHED_SHARE * self.trees):
            return None
        tokens_per_tree = self._finished_tokens / self._finished
        waiting = tokens_per_tree * max(0, self.trees - self._finished - self._now.active_trees)
        return max(0.0, tokens_per_tree * self.trees - self._tokens - waiting), waiting

    def _tokens_by_rollouts(self, rollouts: int) -> tuple[float, float] | None:
        """Return the tokens that growing trees, and those that have not begun, will still generate.

        None until the growing trees have once done a rollout each on average. Trees that have not begun are expected to be
        like finished ones, if there are enough of them.
        """
        now, active = self._samples[-1], max(1, self._now.active_trees)
        self._has_basis = self._has_basis or now.rollouts >= active
        if not self._has_basis:
            return None
        last = self._samples[bisect_left(self._samples, now.rollouts, key=lambda sample: sample.rollouts)]
        tokens_per_rollout = self._tokens_per_rollout(last, active)
        rollouts_left = (
            self._finished_rollouts + self._now.active_trees * rollouts - last.rollouts - PARTLY_DONE * active
        )
        if self._finished >= MIN_FINISHED:
            tokens_per_tree = self._finished_tokens / self._finished
        else:
            tokens_per_tree = tokens_per_rollout * rollouts
        waiting = max(0, self.trees - self._finished - self._now.active_trees)
        growing = tokens_per_rollout * rollouts_left - (now.tokens - last.tokens)
        return max(0.0, growing), tokens_per_tree * waiting

    def _tokens_per_rollout(self, last: Sample, active: int) -> float:
        """Return the slope of tokens over rollouts in the later half; as long as that is short, mixed with their ratio.

        ``last``: when the last rollout ended. The ratio there counts what growing trees have begun as PARTLY_DONE rollouts
        each: it is nothing where all have just ended one, and a half where they end them one after the other.
        """
        ratio = last.tokens / (last.rollouts + PARTLY_DONE * active)
        later = self._samples[self._half_index() :]
        rounds = (later[-1].rollouts - later[0].rollouts) / active
        if not rounds:
            return ratio
        mean_rollouts = sum(sample.rollouts for sample in later) / len(later)
        mean_tokens = sum(sample.tokens for sample in later) / len(later)
        covariance = sum((s.rollouts - mean_rollouts) * (s.tokens - mean_tokens) for s in later)
        slope = covariance / sum((s.rollouts - mean_rollouts) ** 2 for s in later)
        weight = min(1.0, rounds / SLOPE_ROUNDS)
        return weight * slope + (1 - weight) * ratio

    def _half_index(self) -> int:
        """Return the index of the first sample in the later half of the time."""
        half = (self._samples[0].time + self._samples[-1].time) / 2
        return bisect_left(self._samples, half, key=lambda sample: sample.time)
