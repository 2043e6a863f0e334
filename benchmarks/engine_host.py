"""Serve many simulated engines from one actor, each at an address of its own: a process for each would not fit a machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from actors.rpc.transport import Address
from benchmarks.simulated import Latency, SimulatedEngine


class EngineHost:
    """A Ray actor with ``count`` simulated engines. They share its event loop."""

    def __init__(self, count: int, latency: Latency, lengths: tuple[int, ...]) -> None:
        self._engines = [SimulatedEngine(latency, lengths) for _ in range(count)]

    async def listen_address(self, index: int) -> Address:
        """Return where clients of the engine ``index`` connect to."""
        return await self._engines[index].listen_address()

    async def pid(self) -> int:
        return os.getpid()


@dataclass(frozen=True, slots=True)
class HostedMethod:
    """A method of an engine in a host, called as Ray calls an actor's."""

    host: Any
    index: int

    def remote(self) -> Any:
        """Call the method; return a reference to its result."""
        return self.host.listen_address.remote(self.index)


@dataclass(frozen=True, slots=True)
class HostedEngine:
    """What an RpcClient needs of an actor's handle, for one engine of a host."""

    host: Any
    index: int

    @property
    def listen_address(self) -> HostedMethod:
        return HostedMethod(self.host, self.index)
