"""What running a program again would cost, against the fork that a kept state saves. Believes only the kernel's clock."""

from __future__ import annotations

import math
from collections import OrderedDict

from actors.sandbox.limits import ROOT_KEY

REMEMBERED = 20_000  # programs; less than 4 MiB


class Costs:
    """Processor time of programs by key. A fork with nothing to do is taken to cost the least that any fork has cost."""

    def __init__(self, replay_forks: float) -> None:
        self.replay_forks = replay_forks
        self.fork_seconds = math.inf
        self.spent: OrderedDict[bytes, tuple[float, int]] = OrderedDict()  # seconds, and the forks in them

    def note(self, base: bytes, key: bytes, used: float | None) -> None:
        """A fork of the state ``base`` used so much processor time to arrive at ``key`` (s); None where nobody knows.

        A process that never gave up its core may show 0 (kernels count at switches and ticks): it used next to nothing.
        """
        before, forks = (0.0, 0) if base == ROOT_KEY else self.spent.get(base, (math.inf, 0))
        if used is not None:
            self.fork_seconds = min(self.fork_seconds, used or math.inf)
            self.spent[key] = (before + used, forks + 1)
        if len(self.spent) > REMEMBERED:
            self.spent.popitem(last=False)

    def cheap(self, key: bytes) -> bool:
        """Whether running the program again takes no longer than ``replay_forks`` forks; no where nothing is known."""
        if not self.replay_forks or key not in self.spent:
            return False
        seconds, forks = self.spent[key]
        return seconds - forks * self.fork_seconds <= self.replay_forks * self.fork_seconds
