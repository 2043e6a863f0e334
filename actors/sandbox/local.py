"""The sandbox as search's Executor on this machine, without Ray. Knows states and steps, not how they are confined."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from actors.sandbox.client import Service
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.result import ExecResult
from search.types import Outcome, State, Step, StepStatus

Run = tuple[tuple[str, ...], str]  # the codes before, and the code to run


def codes_of(state: State) -> tuple[str, ...]:
    """The code of a state's steps, in order; steps in words have none."""
    return tuple(step.code for step in state.steps if step.code)


def apply(step: Step, result: ExecResult) -> Step:
    """The step with what came of it; a step whose code did not run OK is a CODE_ERROR."""
    status = step.status if result.outcome is Outcome.OK else StepStatus.CODE_ERROR
    return replace(step, output=result.output, outcome=result.outcome, status=status)


class LocalExecutor:
    """The service without Ray: for the command line, tests and one machine. Implements search.protocols.Executor.

    Starts on first use; ``close`` it, or use it as ``async with``. Belongs to the event loop that first used it.
    """

    def __init__(self, config: ExecutorConfig | None = None) -> None:
        self.config = config or ExecutorConfig()
        self.service = Service(self.config)

    async def run(self, state: State, step: Step) -> Step:
        """Run the step's code after its ancestors'. A step without code, or already ended, comes back as it is."""
        if not step.code or step.terminal:
            return step
        return apply(step, await self.service.run(codes_of(state), step.code))

    async def run_many(self, runs: Sequence[Run]) -> list[ExecResult]:
        """One result a run, in the order asked."""
        return list(await asyncio.gather(*(self.service.run(tuple(prefix), code) for prefix, code in runs)))

    async def start(self) -> dict[str, Any]:
        """Start now. Returns what the service says of itself; UserError where it cannot be had."""
        await self.service.start()
        return self.service.hello

    async def close(self) -> None:
        await self.service.close()

    async def __aenter__(self) -> LocalExecutor:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
