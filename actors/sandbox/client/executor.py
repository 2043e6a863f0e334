"""Run the steps of a search in a sandbox on this machine, without Ray."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from actors.sandbox.client.autoprint import CACHED_STEPS, add_autoprint
from actors.sandbox.client.result import ExecResult
from actors.sandbox.client.server_handle import ForkServerHandle
from actors.sandbox.config import ExecutorConfig
from search.concurrency import gather_or_cancel
from search.core.expansion import mark_code_error
from search.data import Outcome, State, Step

Program = tuple[tuple[str, ...], str]  # the codes before, and the code to run

BLANK = " \t\f\r"
STATEMENT_LINE = re.compile(rf"^[{BLANK}]*[^#{BLANK}\n]", re.MULTILINE)  # neither blank nor a comment
EMPTY_RESULT = ExecResult(Outcome.OK, "")  # of a program without a statement


def codes_of(state: State) -> tuple[str, ...]:
    """Return the codes of a state's steps, in order. Steps in words have none."""
    return tuple(step.code for step in state.steps if step.code)


def make_program(prefix: Sequence[str], code: str) -> Program:
    """Return what is run for these codes: comments are left out, and a step that ends with a number prints it."""
    return tuple(add_autoprint(earlier) for earlier in prefix if not is_comment_only(earlier)), add_autoprint(code)


@lru_cache(CACHED_STEPS)
def is_comment_only(code: str) -> bool:
    """Return True for comments and blank lines without characters that Python refuses: there is nothing to run."""
    return STATEMENT_LINE.search(code) is None and all(line.strip(BLANK).isprintable() for line in code.split("\n"))


def result_without_running(step: Step) -> Step | None:
    """Return the finished step if it has nothing to run: no code, already ended, or only comments. Else None."""
    if not step.code or step.is_terminal:
        return step
    return with_result(step, EMPTY_RESULT) if is_comment_only(step.code) else None


def with_result(step: Step, result: ExecResult) -> Step:
    """Return the step with its result; ``mark_code_error`` decides its status."""
    return mark_code_error(replace(step, output=result.output, outcome=result.outcome))


async def run_steps(
    steps: Sequence[Step], run_codes: Callable[[tuple[str, ...]], Awaitable[list[ExecResult]]]
) -> list[Step]:
    """Return the steps with their results. ``run_codes`` gets the codes with something to run, if there are any."""
    finished = [result_without_running(step) for step in steps]
    codes = tuple(step.code for step, done in zip(steps, finished, strict=True) if done is None)
    results = iter(await run_codes(codes) if codes else ())
    return [done or with_result(step, next(results)) for step, done in zip(steps, finished, strict=True)]


class LocalExecutor:
    """The sandbox without Ray: for the command line, tests and one machine. Implements search.protocols.Executor.

    It has two fork servers: one with the light modules, and one with ``config.heavy_modules`` loaded as well, started
    when a program first names one of them. A fork of the first costs a third of a fork of the second. ``close`` it,
    or use it as ``async with``. It belongs to the event loop that first used it.
    """

    def __init__(self, config: ExecutorConfig | None = None) -> None:
        self.config = config or ExecutorConfig()
        self.server = ForkServerHandle(self.config)
        self.heavy_server: ForkServerHandle | None = None
        names = "|".join(re.escape(name) for name in self.config.heavy_modules)
        self.heavy_name = re.compile(rf"\b(?:{names})\b") if names else None

    def _server_for(self, codes: Iterable[str]) -> ForkServerHandle:
        if self.heavy_name is None or not any(self.heavy_name.search(code) for code in codes):
            return self.server
        if self.heavy_server is None:
            installed = tuple(name for name in self.config.heavy_modules if importlib.util.find_spec(name))
            preload = (*self.config.preload, *installed)
            self.heavy_server = ForkServerHandle(self.config.model_copy(update={"preload": preload}))
        return self.heavy_server

    async def run_code(self, prefix: Sequence[str], code: str) -> ExecResult:
        """Run ``code`` after the codes of ``prefix``. What the code does never raises."""
        return await self._server_for((*prefix, code)).run(tuple(prefix), code)

    async def run(self, state: State, steps: Sequence[Step]) -> list[Step]:
        """Run each step's code after its ancestors'. A step without code, or already ended, comes back as it is."""
        return await run_steps(steps, partial(self.run_siblings, codes_of(state)))

    async def run_siblings(self, prefix: Sequence[str], codes: Sequence[str]) -> list[ExecResult]:
        """Run each of ``codes`` after ``prefix``, all as ``make_program`` extends them. Return one result per code."""
        return await self.run_programs([make_program(prefix, code) for code in codes])

    async def run_programs(self, programs: Sequence[Program]) -> list[ExecResult]:
        """Run programs concurrently. Return one result per program, in the same order."""
        return await gather_or_cancel(self.run_code(prefix, code) for prefix, code in programs)

    async def start(self) -> dict[str, Any]:
        """Start now and return the fork server's hello. Raise UserError where it cannot start."""
        await self.server.start()
        return self.server.hello

    @property
    def restarts(self) -> int:
        """How often a fork server died and was started again."""
        return self.server.restarts + (self.heavy_server.restarts if self.heavy_server is not None else 0)

    async def close(self) -> None:
        await self.server.close()
        if self.heavy_server is not None:
            await self.heavy_server.close()

    async def __aenter__(self) -> LocalExecutor:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
