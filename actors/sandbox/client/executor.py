"""The sandbox as search's Executor on this machine, without Ray. Knows states and steps, not how they are confined."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Any

from actors.sandbox.client.autoprint import REMEMBERED, echoed
from actors.sandbox.client.result import ExecResult
from actors.sandbox.client.service import Service
from actors.sandbox.config import ExecutorConfig
from search.concurrency import gather_or_cancel
from search.data import Outcome, State, Step, StepStatus

Run = tuple[tuple[str, ...], str]  # the codes before, and the code to run

BLANK = " \t\f\r"
WORK = re.compile(rf"^[{BLANK}]*[^#{BLANK}\n]", re.MULTILINE)  # a line that is neither blank nor a comment
NOTHING = ExecResult(Outcome.OK, "")  # what comes of a program without a statement


def codes_of(state: State) -> tuple[str, ...]:
    """The codes of a state's steps, in order; steps in words have none."""
    return tuple(step.code for step in state.steps if step.code)


def as_run(prefix: Sequence[str], code: str) -> Run:
    """What is run of such codes: comments run nothing, and a number that a step ends with is said."""
    return tuple(echoed(earlier) for earlier in prefix if not idle(earlier)), echoed(code)


@lru_cache(REMEMBERED)
def idle(code: str) -> bool:
    """Whether there is nothing to run: comments and blank lines only, without characters that Python refuses."""
    return WORK.search(code) is None and all(line.strip(BLANK).isprintable() for line in code.split("\n"))


def unrun(step: Step) -> Step | None:
    """What becomes of a step with nothing to run: without code, already ended, or comments only. None for all others."""
    if not step.code or step.terminal:
        return step
    return apply(step, NOTHING) if idle(step.code) else None


def apply(step: Step, result: ExecResult) -> Step:
    """The step with what came of it; a step whose code did not run OK is a CODE_ERROR."""
    status = step.status if result.outcome is Outcome.OK else StepStatus.CODE_ERROR
    return Step(step.text, step.code, result.output, status, step.answer, result.outcome)


async def ran(steps: Sequence[Step], run: Callable[[tuple[str, ...]], Awaitable[list[ExecResult]]]) -> list[Step]:
    """The steps with what came of them. ``run`` gets the codes of those that have something to run, if there are any."""
    done = [unrun(step) for step in steps]
    codes = tuple(step.code for step, over in zip(steps, done, strict=True) if over is None)
    results = iter(await run(codes) if codes else ())
    return [over or apply(step, next(results)) for step, over in zip(steps, done, strict=True)]


class LocalExecutor:
    """The sandbox without Ray: for the command line, tests and one machine. Implements search.protocols.Executor.

    Two services: one with the light modules, and one with ``config.heavy`` loaded as well, started when a program
    first names one of them; a fork of the first costs a third of a fork of the second. ``close`` it, or use it as
    ``async with``. Belongs to the event loop that first used it.
    """

    def __init__(self, config: ExecutorConfig | None = None) -> None:
        self.config = config or ExecutorConfig()
        self.service = Service(self.config)
        self.heavy_service: Service | None = None
        names = "|".join(re.escape(name) for name in self.config.heavy)
        self.names_heavy = re.compile(rf"\b(?:{names})\b") if names else None

    def _service(self, codes: Iterable[str]) -> Service:
        if self.names_heavy is None or not any(self.names_heavy.search(code) for code in codes):
            return self.service
        if self.heavy_service is None:
            installed = tuple(name for name in self.config.heavy if importlib.util.find_spec(name))
            preload = (*self.config.preload, *installed)
            self.heavy_service = Service(self.config.model_copy(update={"preload": preload}))
        return self.heavy_service

    async def run_code(self, prefix: Sequence[str], code: str) -> ExecResult:
        """Run ``code`` after the codes of ``prefix``. Never raises for what the code does."""
        return await self._service((*prefix, code)).run(tuple(prefix), code)

    async def run(self, state: State, steps: Sequence[Step]) -> list[Step]:
        """Run each step's code after its ancestors'. A step without code, or already ended, comes back as it is."""
        return await ran(steps, partial(self.run_siblings, codes_of(state)))

    async def run_siblings(self, prefix: Sequence[str], codes: Sequence[str]) -> list[ExecResult]:
        """One result for each of ``codes`` after those of ``prefix``, all as their steps have them."""
        return await self.run_many([as_run(prefix, code) for code in codes])

    async def run_many(self, runs: Sequence[Run]) -> list[ExecResult]:
        """One result a run, in the order asked."""
        return await gather_or_cancel(self.run_code(prefix, code) for prefix, code in runs)

    async def start(self) -> dict[str, Any]:
        """Start now. Returns what the service says of itself; UserError where it cannot be had."""
        await self.service.start()
        return self.service.hello

    async def close(self) -> None:
        await self.service.close()
        if self.heavy_service is not None:
            await self.heavy_service.close()

    async def __aenter__(self) -> LocalExecutor:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
