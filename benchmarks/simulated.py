"""Engines and executors that take as long as real ones but compute nothing: what is left is the cost of coordination.

An engine decodes all its sequences in step. With n of them a token takes ``step + n * sequence`` seconds, a prompt
token that is not cached ``prefill`` seconds on top, and beyond ``most`` sequences the next ones wait. A sequence ends
with a step, as in an engine, and those that end with the same one are answered together. Nothing happens between an
arrival and an end, so one timer does for all sequences.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import os
import random
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from actors.rpc.server import RpcServer
from actors.sandbox.client.result import ExecResult
from search.data import Candidate, Finish, Outcome, Proposal, Sampling
from search.formats.registry import ANSWER, END_OF_ANSWER, END_OF_CODE, END_OF_STEP

WORDS = 16  # tokens of a step, on average
STEPS = 6  # steps of a solution before the one that prints


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of one engine: a token with nobody else there, more for each other sequence, and per prompt token."""

    step: float
    sequence: float
    prefill: float
    most: int = 256

    @classmethod
    def read(cls, text: str, most: int = 256) -> Latency:
        """Of STEP,SEQUENCE,PREFILL, as command lines have it (s)."""
        step, sequence, prefill = map(float, text.split(","))
        return cls(step, sequence, prefill, most)

    def token(self, sequences: int) -> float:
        return self.step + sequences * self.sequence


@dataclass(eq=False)
class Shared:
    """Sequences that share an engine. ``clock`` counts the steps so far: the tokens that each of them has got, had it been
    there from the beginning."""

    latency: Latency
    clock: float = 0.0
    seen: float = field(default_factory=time.monotonic)
    running: list[tuple[float, int, asyncio.Future[None]]] = field(default_factory=list)
    waiting: deque[tuple[float, asyncio.Future[None]]] = field(default_factory=deque)
    numbers: Any = field(default_factory=itertools.count)
    timer: asyncio.TimerHandle | None = None

    async def decode(self, tokens: float) -> None:
        """Returns when a sequence of so many tokens would be done."""
        done = asyncio.get_running_loop().create_future()
        self.waiting.append((tokens, done))
        self._turn()
        await done

    def _turn(self) -> None:
        """Bring the clock up to now, end what is done, let in who waits, and come back for the next end."""
        now = time.monotonic()
        if self.running:
            self.clock += (now - self.seen) / self.latency.token(len(self.running))
        self.seen = now
        while self.running and self.running[0][0] <= self.clock + 1e-9:
            done = heapq.heappop(self.running)[2]
            if not done.done():
                done.set_result(None)
        while self.waiting and len(self.running) < self.latency.most:
            tokens, done = self.waiting.popleft()
            heapq.heappush(self.running, (math.ceil(self.clock + tokens), next(self.numbers), done))
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.running:
            left = (self.running[0][0] - self.clock) * self.latency.token(len(self.running))
            self.timer = asyncio.get_running_loop().call_later(max(0.0, left), self._turn)


class SimulatedEngine(RpcServer):
    """Answers as a policy engine does: STEPS steps, then print and answer. A step is as long as one drawn from ``lengths``
    (tokens); without them about WORDS."""

    def __init__(self, latency: Latency, lengths: tuple[int, ...] = ()) -> None:
        super().__init__()
        self._latency, self._shared = latency, Shared(latency)
        self._lengths = lengths or tuple(range(WORDS // 2, WORDS + WORDS // 2 + 1))

    async def propose(
        self,
        segments: tuple[str, ...],
        stops: tuple[str, ...],
        n: int,
        sampling: Sampling,
        seed: int,
        key: str,
        model: Any = None,
    ) -> Proposal:
        fresh = len(segments[-1].split())
        many = 1 if sampling.temperature == 0 else n
        candidates = tuple(_candidate(random.Random(seed + i), segments, self._lengths) for i in range(many))
        prompt = fresh * self._latency.prefill / self._latency.step
        await asyncio.gather(*(self._shared.decode(prompt + len(one.token_ids)) for one in candidates))
        return Proposal(candidates, sum(len(text.split()) for text in segments), 0, 0)

    async def replay(self, batch: list[tuple[tuple[str, ...], int, int]], sampling: Sampling) -> tuple[float, int]:
        """Seconds and tokens of all these requests (segments, candidates, seed) when they come at once."""
        began = time.perf_counter()
        found = await asyncio.gather(*(self.propose(parts, (), n, sampling, seed, "") for parts, n, seed in batch))
        tokens = sum(len(one.token_ids) for proposal in found for one in proposal.candidates)
        return time.perf_counter() - began, tokens

    async def health(self) -> str:
        return "simulated"

    async def pid(self) -> int:
        return os.getpid()


class SimulatedExecutor(RpcServer):
    """Every program runs well, after ``seconds``."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def run(self, prefix: tuple[str, ...], codes: tuple[str, ...]) -> list[ExecResult]:
        await asyncio.sleep(self._seconds)
        return [ExecResult(Outcome.OK, "1" if code.startswith("print") else "") for code in codes]

    async def pid(self) -> int:
        return os.getpid()


def _candidate(rng: random.Random, segments: tuple[str, ...], lengths: tuple[int, ...]) -> Candidate:
    steps = len(segments) - 1
    if steps > STEPS:
        text = f"\n{ANSWER}\\boxed{{{rng.randrange(3)}}}{END_OF_ANSWER}"
        length = 8
    elif steps == STEPS:
        text, length = f"\nprint(total){END_OF_CODE}", 4
    else:
        text = f"\n# {rng.randrange(10**9)}\ntotal = {rng.randrange(10**6)}{END_OF_STEP}"
        length = rng.choice(lengths)
    return Candidate(text, tuple(range(length)), Finish.STOP)
