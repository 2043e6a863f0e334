"""A scripted policy: the one ``propose`` of the tests. Its candidates come from a script (scripts.py, or a function)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from search.data import Candidate, Proposal, Sampling, State
from tests.fakes.words import Words, words


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The arguments of a call, the number of the policy's earlier calls, and of those from the same steps."""

    state: State
    n: int
    sampling: Sampling
    seed: int
    earlier: int
    earlier_here: int

    @property
    def words(self) -> Words:
        return words(self.state)

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(step.code for step in self.state.steps)


Script = Callable[[Request], Sequence[Candidate]]


@dataclass
class ScriptedPolicy:
    """A policy that answers each request with what ``script`` returns for it.

    A proposal has 10 prompt tokens and one more for each step, of which the steps' were cached, and ``version``.

    Delays: with ``delays`` an answer takes a random number of turns of the event loop, otherwise as many as ``slow`` says
    for the words so far, or none.
    Failures: request number ``fails_at``, from 1, raises ConnectionError("engine lost"). Requests from the words in
    ``stuck`` are never answered.
    Records: ``requests`` in the order of arrival, ``counts`` their number by the words so far, and ``inflight``, the
    number of those that are neither answered nor cancelled.
    """

    script: Script
    delays: random.Random | None = None
    fails_at: int | None = None
    stuck: frozenset[Words] = frozenset()
    slow: Mapping[Words, int] = field(default_factory=dict)
    version: int = 1
    requests: list[Request] = field(default_factory=list)
    counts: Counter[Words] = field(default_factory=Counter)
    inflight: int = 0

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        here = words(state)
        request = Request(
            state=state, n=n, sampling=sampling, seed=seed, earlier=len(self.requests), earlier_here=self.counts[here]
        )
        self.requests.append(request)
        self.counts[here] += 1
        self.inflight += 1
        try:
            await wait(self.delays)
            for _ in range(self.slow.get(here, 0)):
                await asyncio.sleep(0)
            if here in self.stuck:
                await asyncio.Event().wait()
        finally:
            self.inflight -= 1
        if request.earlier + 1 == self.fails_at:
            raise ConnectionError("engine lost")
        candidates = tuple(self.script(request))
        return Proposal(candidates, 10 + len(state.steps), cached_tokens=len(state.steps), version=self.version)


async def wait(delays: random.Random | None) -> None:
    """Let the event loop turn up to five times, drawn from ``delays``; not at all without it."""
    for _ in range(delays.randrange(6) if delays is not None else 0):
        await asyncio.sleep(0)
