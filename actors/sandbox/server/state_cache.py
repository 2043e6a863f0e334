"""Which program states are live, least recently used first, within bounds of number and memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from actors.sandbox.limits import ROOT_KEY
from actors.sandbox.server.process import Process


class StateCache:
    """Live states by key. The zygote is the state of the empty program and is never dropped."""

    def __init__(self, zygote: Process, most: int, most_mib: float) -> None:
        self.zygote = zygote
        self.most = most
        self.most_mib = most_mib
        self.mib = 0.0
        self.kept: OrderedDict[bytes, Process] = OrderedDict()

    def __contains__(self, key: bytes) -> bool:
        return key == ROOT_KEY or key in self.kept

    def deepest(self, keys: tuple[bytes, ...]) -> tuple[int, Process]:
        """The longest live beginning of a program: its number of codes, and the state; it counts as used now."""
        for depth in range(len(keys), 0, -1):
            state = self.kept.get(keys[depth - 1])
            if state is not None:
                self.kept.move_to_end(keys[depth - 1])
                return depth, state
        return 0, self.zygote

    def keep(self, state: Process) -> None:
        self.kept[state.key] = state
        self.mib += state.measure()

    def drop(self, state: Process) -> None:
        """Forget a state; the caller ends its process."""
        if self.kept.get(state.key) is state:
            del self.kept[state.key]
            self.mib -= state.cost_mib

    def surplus(self) -> Iterator[Process]:
        """The least recently used states beyond the bounds, dropped one by one."""
        while self.kept and (len(self.kept) > self.most or self.mib > self.most_mib):
            state = next((state for state in self.kept.values() if not state.forks), None)
            if state is None:
                return
            self.drop(state)
            yield state
