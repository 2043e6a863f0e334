"""Statistics of a running search over all its workers: rates, occupancy of engines, cache hits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from actors.stats import WorkerStats
from cluster.formatting import cached_share, format_count

WINDOW_S = 10.0  # rates are means over this time


@dataclass(slots=True)
class SearchStats:
    """The last heartbeat of each worker, and sums over all workers.

    ``policy_capacity`` and ``reward_model_capacity``: sequences that all engines of that role process at once. ``clock``
    returns seconds.
    """

    policy_capacity: int
    reward_model_capacity: int
    clock: Callable[[], float] = monotonic
    _last: dict[int, WorkerStats] = field(default_factory=dict)  # heartbeat of each worker
    _dead: WorkerStats = field(default_factory=WorkerStats)  # sum of the last heartbeats of workers that died
    _window: deque[tuple[float, WorkerStats]] = field(default_factory=deque)  # time and totals of each heartbeat
    _start: float = 0.0
    _occupancy_s: float = 0.0  # integral of the occupancy over time

    def __post_init__(self) -> None:
        self._start = self.clock()
        self._window.append((self._start, WorkerStats()))

    def record(self, worker: int, heartbeat: WorkerStats) -> None:
        """Record a worker's heartbeat. The counts of a restarted worker begin at 0 again."""
        now, occupancy_before = self.clock(), self.occupancy
        previous = self._last.get(worker, WorkerStats())
        if heartbeat.expansions < previous.expansions:
            self._dead = self._dead + previous
        self._last[worker] = heartbeat
        self._occupancy_s += (occupancy_before + self.occupancy) / 2 * (now - self._window[-1][0])
        self._window.append((now, self.total))
        while len(self._window) > 2 and self._window[1][0] <= now - WINDOW_S:
            self._window.popleft()

    @property
    def now(self) -> WorkerStats:
        """Sum of the last heartbeats of all workers."""
        return sum(self._last.values(), WorkerStats())

    @property
    def total(self) -> WorkerStats:
        """``now`` with the counts of dead workers. Only its totals are meaningful, not what is in flight."""
        return self.now + self._dead

    def rate(self, count: Callable[[WorkerStats], int]) -> float:
        """Return the growth of a count per second over the last WINDOW_S."""
        (start, first), (end, last) = self._window[0], self._window[-1]
        return (count(last) - count(first)) / (end - start) if end > start else 0.0

    @property
    def occupancy(self) -> float:
        """Share of the policy engines' capacity that is in use, in [0, 1]."""
        return occupied_share(self.now.policy_inflight, self.policy_capacity)

    @property
    def reward_model_occupancy(self) -> float:
        """Share of the reward models' capacity that is in use, in [0, 1]."""
        return occupied_share(self.now.reward_model_inflight, self.reward_model_capacity)

    @property
    def policy_queue(self) -> int:
        """Sequences that wait for a policy engine, in its queue or in a worker."""
        return queue_length(self.now.policy_inflight, self.now.policy_waiting, self.policy_capacity)

    @property
    def reward_model_queue(self) -> int:
        """States that wait for a reward model, in its queue or in a worker."""
        return queue_length(self.now.reward_model_inflight, self.now.reward_model_waiting, self.reward_model_capacity)

    @property
    def policy_cached(self) -> float | None:
        """Share of the policy's prompt tokens that its prefix cache held, None without prompt tokens."""
        return cached_share(self.total.cached_tokens, self.total.prompt_tokens)

    @property
    def reward_model_cached(self) -> float | None:
        """Share of the reward model's prompt tokens that its prefix cache held, None without prompt tokens."""
        return cached_share(self.total.reward_model_cached_tokens, self.total.reward_model_prompt_tokens)

    @property
    def mean_occupancy(self) -> float:
        """Time-weighted mean of ``occupancy`` up to the last heartbeat (trapezoidal rule)."""
        elapsed = self._window[-1][0] - self._start
        return self._occupancy_s / elapsed if elapsed > 0 else 0.0

    def current_line(self) -> str:
        """Return the present state of the search: "7123 tok/s, engines 83 %, cached 71 %"."""
        return self._line(self.rate(lambda stats: stats.generated_tokens), self.occupancy)

    def total_line(self) -> str:
        """Return the same line over the whole search."""
        elapsed = self.clock() - self._start
        return self._line(self.total.generated_tokens / elapsed if elapsed > 0 else 0.0, self.mean_occupancy)

    def _line(self, tokens_per_s: float, occupancy: float) -> str:
        parts = [f"{format_count(tokens_per_s)} tok/s", f"engines {100 * occupancy:.0f} %"]
        if self.policy_cached is not None:
            parts.append(f"cached {100 * self.policy_cached:.0f} %")
        return ", ".join(parts)


def occupied_share(inflight: int, capacity: int) -> float:
    """Return the share in [0, 1] of the capacity in use; 300 sequences in flight at a capacity of 256 → 1."""
    return min(1.0, inflight / capacity) if capacity else 0.0


def queue_length(inflight: int, waiting: int, capacity: int) -> int:
    """Return the sequences not being processed; 300 in flight at a capacity of 256, and 20 waiting → 64."""
    return max(0, inflight - capacity) + waiting
