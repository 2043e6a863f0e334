"""Kept states that answer for the forks that were ordered from them, and processes with names that are no text."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from actors.sandbox.client.executor import LocalExecutor
from search.data import Outcome
from tests.actors.sandbox.escape.attempts import CONFIG, attempt, next_step_runs

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def executor() -> AsyncIterator[LocalExecutor]:
    """An executor that keeps every state that can be kept, however cheap its replay is."""
    async with LocalExecutor(CONFIG.model_copy(update={"replay_forks": 0.0})) as local:
        yield local


# Replaces the loop of the state, so that it handles an order to fork as ``{act}`` says.
HIJACK = """
import sys, os
frame = sys._getframe()
while 'receive_fork_order' not in frame.f_globals: frame = frame.f_back
names = frame.f_globals
receive = names['receive_fork_order']
def answer():
    descriptor = receive()
    {act}
    os._exit(0)
names['receive_fork_order'] = answer
"""
ACTS = [
    "os.write(descriptor, b'H')",  # it says hello in its child's place and dies
    "os.write(descriptor, b'H'); os.write(3, b'F')",
    "os.write(descriptor, b'H' * 100_000)",
    "os.write(descriptor, bytes(range(256)))",
    "os.write(3, b'F' * 9)",
    "os.close(descriptor); os.write(3, b'F')",
    "os.write(descriptor, b'H' + bytes(16) + b'\\xff' * 99); import time; time.sleep(99)",
    "import time; os.write(descriptor, b'H'); time.sleep(99)",
]


@pytest.mark.parametrize("act", ACTS)
async def test_state_that_answers_for_its_child_harms_no_other(executor: LocalExecutor, act: str) -> None:
    restarts = executor.server.restarts
    prefix = (HIJACK.format(act=act),)
    results = await executor.run_programs([(prefix, f"print({number})") for number in range(4)])
    assert all(result.outcome in (Outcome.CRASHED, Outcome.FORBIDDEN, Outcome.OK) for result in results)
    await next_step_runs(executor)
    assert executor.server.restarts == restarts


async def test_server_outlives_a_name_that_is_no_text(executor: LocalExecutor) -> None:
    restarts = executor.server.restarts
    code = "import ctypes, threading\nctypes.CDLL(None).prctl(15, b'\\xff\\xfe)\\n(', 0, 0, 0)\n"
    code += "try: threading.Thread(target=print).start()\nexcept RuntimeError: pass\nprint('named')"
    for prefix in ((), (code,)):
        result = await attempt(executor, code, prefix)
        assert (result.outcome, result.output) == (Outcome.OK, "named\n")
    assert executor.server.restarts == restarts


async def test_state_runs_on_when_its_step_was_refused_a_fork(executor: LocalExecutor) -> None:
    code = "import os\nfor _ in range(3):\n  try: os.fork()\n  except PermissionError: x = 7"
    result = await attempt(executor, "print(x)", (code,))
    assert (result.outcome, result.output) == (Outcome.OK, "7\n")


async def test_hijacked_state_harms_only_its_descendants(executor: LocalExecutor) -> None:
    """A state whose loop was replaced by its step can only harm its own descendants."""
    code = "import sys, os\nframe = sys._getframe()\nwhile 'receive_fork_order' not in frame.f_globals: frame = frame.f_back\n"
    code += "frame.f_globals['fork'] = None\n"
    code += "for name in ('close', 'dup2', 'write', 'read'): setattr(os, name, None)"
    result = await executor.run_code((code,), "print(1)")
    assert result.output == "1\n" or result.outcome in (Outcome.CRASHED, Outcome.EXCEPTION, Outcome.TIMEOUT)
    await next_step_runs(executor)
