"""Simulate engines and executors that take as long as real ones but compute nothing, so that coordination is all that costs.

An engine decodes all its sequences in step. With n of them a token takes ``step + n * sequence`` seconds, and a prompt token
that is not cached ``prefill`` seconds on top. At most ``most`` sequences run, the others wait. A sequence ends with a step,
as in an engine, and those that end with the same step are answered together. Nothing happens between an arrival and an end,
so one timer serves all sequences.
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
from search.formats.base import Piece
from search.formats.code_format import ANSWER, END_OF_ANSWER, END_OF_CODE, END_OF_STEP
from search.tokens import piece_text

MEAN_STEP_TOKENS = 16  # tokens of a step, on average
SOLUTION_STEPS = 6  # steps of a solution before the one that prints


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of one engine: per decoding step, per sequence in a step, and per prompt token. ``most`` sequences run."""

    step: float
    sequence: float
    prefill: float
    most: int = 256

    @classmethod
    def read(cls, text: str, most: int = 256) -> Latency:
        """Parse STEP,SEQUENCE,PREFILL of a command line (s)."""
        step, sequence, prefill = map(float, text.split(","))
        return cls(step, sequence, prefill, most)

    def token(self, sequences: int) -> float:
        return self.step + sequences * self.sequence


@dataclass(eq=False)
class EngineClock:
    """The sequences of one engine. ``clock`` counts its steps so far, which is the tokens of a sequence there from the start."""

    latency: Latency
    clock: float = 0.0
    seen: float = field(default_factory=time.monotonic)
    running: list[tuple[float, int, asyncio.Future[None]]] = field(default_factory=list)
    waiting: deque[tuple[float, asyncio.Future[None]]] = field(default_factory=deque)
    numbers: Any = field(default_factory=itertools.count)
    timer: asyncio.TimerHandle | None = None

    async def decode(self, tokens: float) -> None:
        """Return when a sequence of so many tokens would be done."""
        done = asyncio.get_running_loop().create_future()
        self.waiting.append((tokens, done))
        self._advance()
        await done

    def _advance(self) -> None:
        """Advance the clock, end finished sequences, admit waiting ones, and set the timer to the next end."""
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
            self.timer = asyncio.get_running_loop().call_later(max(0.0, left), self._advance)


class SimulatedEngine(RpcServer):
    """Answers as a policy engine does: SOLUTION_STEPS steps, then print and answer.

    The tokens of a step are drawn from ``lengths``; without them they are MEAN_STEP_TOKENS on average.
    """

    def __init__(self, latency: Latency, lengths: tuple[int, ...] = ()) -> None:
        super().__init__()
        self._latency, self._clock = latency, EngineClock(latency)
        self._lengths = lengths or tuple(range(MEAN_STEP_TOKENS // 2, MEAN_STEP_TOKENS + MEAN_STEP_TOKENS // 2 + 1))

    async def propose(
        self,
        pieces: tuple[Piece, ...],
        stops: tuple[str, ...],
        n: int,
        sampling: Sampling,
        seed: int,
        key: str,
        model: Any = None,
    ) -> Proposal:
        uncached = len(piece_text(pieces[-1]).split())
        count = 1 if sampling.temperature == 0 else n
        candidates = tuple(_candidate(random.Random(seed + i), len(pieces) - 1, self._lengths) for i in range(count))
        prompt = uncached * self._latency.prefill / self._latency.step
        await asyncio.gather(*(self._clock.decode(prompt + len(candidate.token_ids)) for candidate in candidates))
        return Proposal(candidates, sum(len(piece_text(piece).split()) for piece in pieces), 0, 0)

    async def replay(self, batch: list[tuple[tuple[Piece, ...], int, int]], sampling: Sampling) -> tuple[float, int]:
        """Return seconds and tokens of these requests (pieces, candidates, seed) when they come at once."""
        start = time.perf_counter()
        calls = (self.propose(pieces, (), n, sampling, seed, "") for pieces, n, seed in batch)
        proposals = await asyncio.gather(*calls)
        tokens = sum(len(candidate.token_ids) for proposal in proposals for candidate in proposal.candidates)
        return time.perf_counter() - start, tokens

    async def health(self) -> str:
        return "simulated"

    async def pid(self) -> int:
        return os.getpid()


class SimulatedExecutor(RpcServer):
    """Runs every program without an error, in ``seconds``."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def run(self, prefix: tuple[str, ...], codes: tuple[str, ...]) -> list[ExecResult]:
        await asyncio.sleep(self._seconds)
        return [ExecResult(Outcome.OK, "1" if code.startswith("print") else "") for code in codes]

    async def pid(self) -> int:
        return os.getpid()


def _candidate(rng: random.Random, steps: int, lengths: tuple[int, ...]) -> Candidate:
    if steps > SOLUTION_STEPS:
        text = f"\n{ANSWER}\\boxed{{{rng.randrange(3)}}}{END_OF_ANSWER}"
        length = 8
    elif steps == SOLUTION_STEPS:
        text, length = f"\nprint(total){END_OF_CODE}", 4
    else:
        text = f"\n# {rng.randrange(10**9)}\ntotal = {rng.randrange(10**6)}{END_OF_STEP}"
        length = rng.choice(lengths)
    return Candidate(text, tuple(range(length)), Finish.STOP)
