"""Keep program states live, least recently used first to go, within bounds of number and memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from actors.sandbox.limits import ROOT_KEY
from actors.sandbox.server.process import Process


class StateCache:
    """Live states by key. The zygote is the state of the empty program and is never dropped."""

    def __init__(self, zygote: Process, max_states: int, max_mib: float) -> None:
        self.zygote = zygote
        self.max_states = max_states
        self.max_mib = max_mib
        self.mib = 0.0
        self.states: OrderedDict[bytes, Process] = OrderedDict()

    def __contains__(self, key: bytes) -> bool:
        return key == ROOT_KEY or key in self.states

    def deepest(self, keys: tuple[bytes, ...]) -> tuple[int, Process]:
        """Return the longest live prefix of a program: its number of codes, and the state. Mark it as used now."""
        for depth in range(len(keys), 0, -1):
            state = self.states.get(keys[depth - 1])
            if state is not None:
                self.states.move_to_end(keys[depth - 1])
                return depth, state
        return 0, self.zygote

    def add(self, state: Process) -> None:
        self.states[state.key] = state
        self.mib += state.measure_memory()

    def drop(self, state: Process) -> None:
        """Forget a state. The caller ends its process."""
        if self.states.get(state.key) is state:
            del self.states[state.key]
            self.mib -= state.memory_mib

    def evict(self) -> Iterator[Process]:
        """Drop and yield the least recently used states until the bounds hold. States with pending forks stay."""
        while self.states and (len(self.states) > self.max_states or self.mib > self.max_mib):
            state = next((state for state in self.states.values() if not state.unconfirmed_forks), None)
            if state is None:
                return
            self.drop(state)
            yield state
