"""Estimate what running a program again would cost, in forks. Times come from the kernel's clock, never from a step."""

from __future__ import annotations

import math
from collections import OrderedDict

from actors.sandbox.limits import ROOT_KEY

MAX_PROGRAMS = 20_000  # remembered; less than 4 MiB


class ReplayCosts:
    """Processor time of programs by key. An empty fork is assumed to cost the least that any fork has cost."""

    def __init__(self, replay_forks: float) -> None:
        self.replay_forks = replay_forks
        self.fork_seconds = math.inf
        self.spent: OrderedDict[bytes, tuple[float, int]] = OrderedDict()  # seconds, and the forks in them

    def record(self, base: bytes, key: bytes, cpu_seconds: float | None) -> None:
        """Record that a fork of the state ``base`` used ``cpu_seconds`` to arrive at ``key``; None where unknown.

        A process that never gave up its core may show 0 (kernels count at switches and ticks): it used next to nothing.
        """
        before, forks = (0.0, 0) if base == ROOT_KEY else self.spent.get(base, (math.inf, 0))
        if cpu_seconds is not None:
            self.fork_seconds = min(self.fork_seconds, cpu_seconds or math.inf)
            self.spent[key] = (before + cpu_seconds, forks + 1)
        if len(self.spent) > MAX_PROGRAMS:
            self.spent.popitem(last=False)

    def is_cheap(self, key: bytes) -> bool:
        """Return True if the program is known to replay in the time of at most ``replay_forks`` forks."""
        if not self.replay_forks or key not in self.spent:
            return False
        seconds, forks = self.spent[key]
        return seconds - forks * self.fork_seconds <= self.replay_forks * self.fork_seconds
