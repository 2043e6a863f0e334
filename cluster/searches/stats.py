"""How a search does at this moment, over all its workers: rates, how full engines are, what caches had. Knows no Ray."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from actors.stats import WorkerStats
from cluster.formatting import count, share_cached

WINDOW_S = 10.0  # rates are means over so long


@dataclass(slots=True)
class Vitals:
    """The last Pulse of each worker, added up. ``policy`` and ``reward_model``: sequences that all engines of a kind work on at
    once; ``clock`` gives seconds."""

    policy: int
    reward_model: int
    clock: Callable[[], float] = monotonic
    _pulses: dict[int, WorkerStats] = field(default_factory=dict)
    _before: WorkerStats = field(default_factory=WorkerStats)  # what workers had done that have died since
    _past: deque[tuple[float, WorkerStats]] = field(default_factory=deque)
    _began: float = 0.0
    _taken: float = 0.0  # occupancy, added up over the seconds

    def __post_init__(self) -> None:
        self._began = self.clock()
        self._past.append((self._began, WorkerStats()))

    def hear(self, worker: int, pulse: WorkerStats) -> None:
        """Take in what a worker says. One that died says nothing at all, and begins to count anew when it is back."""
        now, before = self.clock(), self.occupancy
        old = self._pulses.get(worker, WorkerStats())
        if pulse.expansions < old.expansions:
            self._before = self._before + old
        self._pulses[worker] = pulse
        self._taken += (before + self.occupancy) / 2 * (now - self._past[-1][0])
        self._past.append((now, self.done))
        while len(self._past) > 2 and self._past[1][0] <= now - WINDOW_S:
            self._past.popleft()

    @property
    def now(self) -> WorkerStats:
        """All workers, since the search began."""
        return sum(self._pulses.values(), WorkerStats())

    @property
    def done(self) -> WorkerStats:
        """The same with what dead workers had done; of it only what is counted since the beginning means anything."""
        return self.now + self._before

    def rate(self, of: Callable[[WorkerStats], int]) -> float:
        """What is counted, a second, over the last WINDOW_S."""
        (began, first), (ended, last) = self._past[0], self._past[-1]
        return (of(last) - of(first)) / (ended - began) if ended > began else 0.0

    @property
    def occupancy(self) -> float:
        """Share of the places for sequences at policy engines that are taken."""
        return occupied(self.now.policy_busy, self.policy)

    @property
    def reward_model_occupancy(self) -> float:
        return occupied(self.now.reward_model_busy, self.reward_model)

    @property
    def policy_queue(self) -> int:
        """Sequences that wait for a place, at an engine or for room there."""
        return queued(self.now.policy_busy, self.now.policy_waiting, self.policy)

    @property
    def reward_model_queue(self) -> int:
        return queued(self.now.reward_model_busy, self.now.reward_model_waiting, self.reward_model)

    @property
    def cached(self) -> float | None:
        """Share of the policy's prompt tokens that its prefix cache had."""
        return share_cached(self.done.cached_tokens, self.done.prompt_tokens)

    @property
    def reward_model_cached(self) -> float | None:
        return share_cached(self.done.reward_model_cached, self.done.reward_model_tokens)

    @property
    def mean_occupancy(self) -> float:
        """Over the time from the beginning to the last word of a worker, in straight lines from one word to the next."""
        heard = self._past[-1][0] - self._began
        return self._taken / heard if heard > 0 else 0.0

    def line(self) -> str:
        """ "7123 tok/s, engines 83 %, cached 71 %": how the search does now."""
        return self._told(self.rate(lambda pulse: pulse.generated_tokens), self.occupancy)

    def whole_line(self) -> str:
        """The same over the whole search, at its end."""
        took = self.clock() - self._began
        return self._told(self.done.generated_tokens / took if took > 0 else 0.0, self.mean_occupancy)

    def _told(self, rate: float, occupancy: float) -> str:
        parts = [f"{count(rate)} tok/s", f"engines {100 * occupancy:.0f} %"]
        if self.cached is not None:
            parts.append(f"cached {100 * self.cached:.0f} %")
        return ", ".join(parts)


def occupied(busy: int, places: int) -> float:
    """Share in [0, 1] of the engines' places that is taken; 300 sequences and 256 places → 1."""
    return min(1.0, busy / places) if places else 0.0


def queued(busy: int, waiting: int, places: int) -> int:
    """Sequences without a place; 300 at engines with 256 places and 20 that wait for room → 64."""
    return max(0, busy - places) + waiting
