"""Make attempts to break out and check that they fail, at the strictest isolation that this machine gives.

A snippet prints ESCAPED where it got what it must not have. Each test asserts that it did not, and that the next step
still runs.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from pathlib import Path

import pytest

from actors.sandbox.client.executor import LocalExecutor
from actors.sandbox.client.result import ExecResult
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import Tier
from search.data import Outcome

CONFIG = ExecutorConfig(
    concurrency=2,
    cpu_seconds=1,
    wall_seconds=3,
    memory_mib=128,
    required_tier=Tier.BASIC,
    heavy_modules=(),
    evaluate_arithmetic=False,
)
PROJECT = str(Path(__file__).resolve().parents[4])
HOME = str(Path.home())
SECRET = "the-secret-of-the-run"
LINE = re.compile(r" \((?:earlier step, )?line [0-9]+.*\)$")
numbers = itertools.count()


async def attempt(executor: LocalExecutor, code: str, prefix: tuple[str, ...] = ()) -> ExecResult:
    """Run an attempt, assert that it failed and that the sandbox is as before."""
    result = await executor.run_code(prefix, code)
    assert "ESCAPED" not in without_line(result)
    assert SECRET not in result.output
    await next_step_runs(executor)
    return result


def without_line(result: ExecResult) -> str:
    """Return the output, or the error line without the line of code that raised it."""
    return result.output if result.outcome is Outcome.OK else LINE.sub("", result.output)


async def next_step_runs(executor: LocalExecutor) -> None:
    number = next(numbers)
    after = await executor.run_code((), f"print({number}, sum([1, 2]), len('abc'))")
    assert (after.outcome, after.output) == (Outcome.OK, f"{number} 3 3\n")


def unharmed(path: Path) -> bool:
    return path.read_text() == SECRET


def strict_only(executor: LocalExecutor) -> None:
    if executor.server.hello["tier"] != Tier.STRICT:
        pytest.skip("files are confined at the strict tier only; this machine does not give it")


def active(executor: LocalExecutor) -> list[int]:
    """Return the children of the fork server that are neither the interpreter nor frozen states."""
    server = executor.server
    pids = []
    for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split():
        try:
            kind = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if int(pid) != server.hello["zygote"] and kind not in "TZX":
            pids.append(int(pid))
    return pids


async def nothing_runs(executor: LocalExecutor) -> None:
    for _ in range(200):
        if not active(executor):
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"still running: {active(executor)}")
