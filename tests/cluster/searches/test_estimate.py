"""The time that a search still takes, on scripted searches whose end is known."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from actors.stats import WorkerStats
from actors.workers.messages import TreeSummary
from cluster.searches.estimate import MAX_SAMPLES, TimeEstimate
from search.data import Cost

HEARTBEAT_S = 1.0


@dataclass
class Script:
    """A search of ``problems`` trees, ``inflight`` at once, of ``rollouts`` rollouts that take ``seconds[k]`` each.

    A rollout writes ten tokens a second, one stretch after the other; ``shift`` is how much later each tree begins.
    """

    problems: int
    inflight: int
    seconds: list[float]
    shift: float = 0.0
    now: float = 0.0
    ends: list[tuple[float, float]] = field(default_factory=list)  # begin and end of each tree

    def __post_init__(self) -> None:
        free = [number * self.shift for number in range(self.inflight)]
        heapq.heapify(free)
        for _ in range(self.problems):
            begin = heapq.heappop(free)
            self.ends.append((begin, begin + sum(self.seconds)))
            heapq.heappush(free, self.ends[-1][1])

    @property
    def end(self) -> float:
        return max(end for _, end in self.ends)

    def rollouts_of(self, begin: float) -> int:
        elapsed, count = self.now - begin, 0
        while count < len(self.seconds) and elapsed >= sum(self.seconds[: count + 1]) - 1e-9:
            count += 1
        return count

    def run(self, estimate: TimeEstimate) -> Iterator[tuple[float, float | None]]:
        """Yield at each heartbeat the seconds that are left and those that are estimated."""
        reported: set[int] = set()
        while self.now < self.end - HEARTBEAT_S:
            self.now += HEARTBEAT_S
            active = [begin for begin, end in self.ends if begin <= self.now < end]
            seconds = sum(max(0.0, min(self.now, end) - begin) for begin, end in self.ends)
            rollouts = sum(self.rollouts_of(begin) for begin in active)
            estimate.on_stats(WorkerStats(active_trees=len(active), active_rollouts=rollouts), int(10 * seconds))
            for number, (begin, end) in enumerate(self.ends):
                if end <= self.now and number not in reported:
                    reported.add(number)
                    cost = Cost(generated_tokens=int(10 * (end - begin)))
                    estimate.on_summary(
                        TreeSummary(problem_id=str(number), seed=0, rollouts=len(self.seconds), cost=cost)
                    )
            yield self.end - self.now, estimate.seconds_left()


def errors(script: Script, rollouts: int | None) -> list[tuple[float, float]]:
    """Return, from the first estimate on, shares of the time that had passed, and errors as shares of the whole time."""
    estimate = TimeEstimate(script.problems, rollouts, lambda: script.now)
    pairs = list(script.run(estimate))
    first = next(index for index, (_, estimated) in enumerate(pairs) if estimated is not None)
    assert all(estimated is not None for _, estimated in pairs[first:])
    return [
        (1 - left / script.end, (estimated - left) / script.end)
        for left, estimated in pairs[first:]
        if estimated is not None
    ]


def largest(shares: list[tuple[float, float]], since: float = 0.0) -> float:
    """Return the largest error after a share of the time."""
    return max(abs(error) for passed, error in shares if passed >= since)


@pytest.mark.parametrize("spread", [0.0, 5.0, 24.0])
@pytest.mark.parametrize(("problems", "inflight"), [(8, 8), (8, 1), (40, 8), (400, 32)])
def test_error_is_bounded_when_rollouts_are_equally_long(problems: int, inflight: int, spread: float) -> None:
    """The first estimate comes when each tree has done one of its eight rollouts. ``spread``: until all have begun."""
    shares = errors(Script(problems, inflight, [10.0] * 8, spread / inflight), 8)
    assert shares[0][0] <= 0.26
    assert largest(shares) <= 0.4
    assert largest(shares, since=0.25) <= 0.2
    assert largest(shares, since=0.5) <= 0.1


def test_estimate_follows_rollouts_that_become_shorter() -> None:
    """First rollouts write whole paths, later ones begin below them."""
    shares = errors(Script(32, 8, [20.0, 16.0, 12.0, 10.0, 8.0, 8.0, 8.0, 8.0]), 8)
    assert largest(shares) <= 0.35
    assert largest(shares, since=0.5) <= 0.1


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_tokens_of_finished_trees_serve_without_rollouts(shift: float) -> None:
    shares = errors(Script(100, 10, [7.0, 5.0], shift), None)
    assert shares[0][0] <= 0.2
    assert largest(shares) <= 0.2
    assert largest(shares, since=0.25) <= 0.05


def test_tree_with_the_most_left_ends_last() -> None:
    """Two trees at 10 tokens a second in all have 60 tokens left by the sum: 50 of them in one tree, at 5 a second."""
    time = 0.0
    estimate = TimeEstimate(2, 2, lambda: time)
    time = 10.0
    now = WorkerStats(active_trees=2, active_rollouts=2, tokens_left=120, longest_tokens_left=100)
    estimate.on_stats(now, 100)
    assert estimate.seconds_left() == pytest.approx(50 / 5)


def test_there_is_no_estimate_before_the_first_rollouts() -> None:
    script = Script(8, 8, [30.0] * 4)
    estimate = TimeEstimate(8, 4, lambda: script.now)
    assert estimate.seconds_left() is None
    for left, estimated in script.run(estimate):
        if script.end - left < 30:
            assert estimated is None


def test_estimate_counts_down_between_heartbeats() -> None:
    """100 tokens were written for 2 rollouts and 2 quarters: 40 a rollout, 60 for the rest, at 10 a second."""
    time = 0.0
    estimate = TimeEstimate(2, 2, lambda: time)
    time = 10.0
    estimate.on_stats(WorkerStats(active_trees=2, active_rollouts=2), 100)
    assert estimate.seconds_left() == pytest.approx(6.0)
    time = 14.0
    assert estimate.seconds_left() == pytest.approx(2.0)
    time = 40.0
    assert estimate.seconds_left() == 0.0
    for name in "ab":
        estimate.on_summary(TreeSummary(problem_id=name, seed=0, rollouts=2))
    assert estimate.seconds_left() == 0.0


def test_waiting_trees_are_expected_to_be_like_finished_ones() -> None:
    """Ten trees ended after 2 of 8 rollouts; of the other ten five grow, a quarter of a rollout each.

    10 tokens a rollout and 10 tokens a second. The five that wait are expected to take two rollouts too.
    """
    time = 0.0
    estimate = TimeEstimate(20, 8, lambda: time)
    for number in range(10):
        time += 2.0
        estimate.on_stats(WorkerStats(active_trees=5, active_rollouts=0), 20 * (number + 1))
        estimate.on_summary(TreeSummary(problem_id=str(number), seed=0, rollouts=2, cost=Cost(generated_tokens=20)))
    assert estimate.seconds_left() == pytest.approx(5 * 8 - 5 / 4 + 5 * 2, abs=1.0)


def test_samples_of_a_long_search_are_thinned() -> None:
    script = Script(400, 4, [10.0] * 8)
    estimate = TimeEstimate(400, 8, lambda: script.now)
    for _ in script.run(estimate):
        pass
    assert len(estimate._samples) <= MAX_SAMPLES
