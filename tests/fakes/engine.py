"""A scripted engine: what the pools call, over real connections, without Ray and without vLLM."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ray.exceptions import ActorUnavailableError

from actors.rpc.server import RpcServer
from search.data import Candidate, Finish, ModelRef, Proposal, Scores
from search.formats.code_format import END_OF_STEP
from search.reward_models import RenderedState

DEATH = ConnectionError("this engine ends")


class ScriptedEngine(RpcServer):
    """A policy or reward engine that follows ``script``, one entry a request, and then always responds.

    A proposal is ``x = 1`` of version 7, a logit the number of a state's pieces.

    Delays and failures: DEATH ends its connections, other exceptions are raised, numbers are seconds before the response;
    ``delay_s`` is that of requests beyond the script. Its health check fails unless ``is_healthy``.
    Records: ``requests`` with their arguments, ``loaded`` models, and ``inflight_history``, the sequences in flight at the
    arrival of each request.
    """

    def __init__(self, *script: Exception | float, is_healthy: bool = True, delay_s: float = 0.0) -> None:
        super().__init__()
        self.script, self.is_healthy, self.delay_s = list(script), is_healthy, delay_s
        self.requests: list[tuple[Any, ...]] = []
        self.loaded: list[ModelRef] = []
        self.inflight_history: list[int] = []
        self._inflight = 0
        self._arrived = asyncio.Condition()

    async def propose(self, *arguments: Any) -> Proposal:
        await self._follow_script(arguments, arguments[2])
        return Proposal((Candidate(f"x = 1{END_OF_STEP}", (1, 2), Finish.STOP),), 5, 0, 7)

    async def score(self, states: Sequence[RenderedState], key: str, model: ModelRef | None) -> Scores:
        await self._follow_script((states, key, model), len(states))
        return Scores(tuple(float(len(state.pieces)) for state in states))

    async def health(self) -> str:
        if not self.is_healthy:
            raise ActorUnavailableError("restarting", b"0" * 16)
        return "healthy"

    async def load(self, model: ModelRef) -> str:
        self.loaded.append(model)
        return "loaded"

    async def wait_until_inflight(self, sequences: int) -> None:
        """Return once so many sequences are in flight."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: self._inflight >= sequences)

    async def _follow_script(self, arguments: tuple[Any, ...], sequences: int) -> None:
        self.requests.append(arguments)
        self._inflight += sequences
        self.inflight_history.append(self._inflight)
        async with self._arrived:
            self._arrived.notify_all()
        try:
            await self._act(self.script.pop(0) if self.script else self.delay_s)
        finally:
            self._inflight -= sequences

    async def _act(self, entry: Exception | float) -> None:
        if entry is DEATH:
            for connection in list(self._callers):
                connection.close()
            await asyncio.sleep(3600)
        if isinstance(entry, Exception):
            raise entry
        await asyncio.sleep(entry)
