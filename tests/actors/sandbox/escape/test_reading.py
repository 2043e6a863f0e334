"""Reading what is not the step's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actors.sandbox.client.executor import LocalExecutor
from search.data import Outcome
from tests.actors.sandbox.escape.attempts import HOME, PROJECT, attempt, strict_only

pytestmark = pytest.mark.asyncio(loop_scope="module")

READ = "print('ESCAPED', open({path!r}, 'rb').read(99))"


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/etc/shadow", "/proc/self/environ", "/proc/self/mem", "/proc/self/maps", "/proc/1/environ"]
)
async def test_system_files_are_unreadable(executor: LocalExecutor, path: str) -> None:
    strict_only(executor)
    assert (await attempt(executor, READ.format(path=path))).outcome is Outcome.FORBIDDEN


@pytest.mark.parametrize("name", ["environ", "mem", "maps", "cmdline"])
async def test_proc_files_of_server_and_caller_are_unreadable(executor: LocalExecutor, name: str) -> None:
    strict_only(executor)
    for pid in (os.getpid(), executor.server.pid, executor.server.hello["zygote"]):
        assert (await attempt(executor, READ.format(path=f"/proc/{pid}/{name}"))).outcome is Outcome.FORBIDDEN


async def test_run_directory_is_unreadable(executor: LocalExecutor, secret_file: Path) -> None:
    strict_only(executor)
    assert (await attempt(executor, READ.format(path=str(secret_file)))).outcome is Outcome.FORBIDDEN
    listing = f"import os; print('ESCAPED', os.listdir({str(secret_file.parent)!r}))"
    assert (await attempt(executor, listing)).outcome is Outcome.FORBIDDEN


async def test_home_and_project_are_unreadable(executor: LocalExecutor) -> None:
    strict_only(executor)
    for path in (HOME, PROJECT):
        code = f"import os; print('ESCAPED', os.listdir({path!r}))"
        assert (await attempt(executor, code)).outcome is Outcome.FORBIDDEN
    code = f"import sys; sys.path.append({PROJECT!r}); import actors; print('ESCAPED')"
    assert (await attempt(executor, code)).outcome is not Outcome.OK


async def test_scratch_of_other_steps_cannot_be_listed(executor: LocalExecutor) -> None:
    strict_only(executor)
    result = await attempt(executor, "import os; print('ESCAPED', os.listdir('..'))")
    assert result.outcome is Outcome.FORBIDDEN
