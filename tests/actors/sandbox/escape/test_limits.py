"""Going on after the end, and more memory and output than allowed."""

from __future__ import annotations

import asyncio

import pytest

from actors.sandbox.client.executor import LocalExecutor
from search.data import Outcome
from tests.actors.sandbox.escape.attempts import attempt, nothing_runs

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENT = """
import signal, time, atexit
class Last:
    def __del__(self):
        while True: pass
last = Last()
def forever():
    while True: pass
atexit.register(forever)
for number in range(1, 65):
    try:
        signal.signal(number, lambda *a: None)
    except (OSError, ValueError):
        pass
while True:
    try:
        {wait}
    except BaseException:
        pass
"""


@pytest.mark.parametrize("wait", ["while True: pass", "time.sleep(1000)", "signal.pause()", "input()"])
async def test_step_is_killed_when_its_time_is_up(executor: LocalExecutor, wait: str) -> None:
    assert (await attempt(executor, PATIENT.format(wait=wait))).outcome is Outcome.TIMEOUT
    await nothing_runs(executor)


async def test_nothing_runs_when_the_step_has_ended(executor: LocalExecutor) -> None:
    code = "import signal, atexit\natexit.register(print, 'late')\ndef again(*a):\n  while True: pass\n"
    code += "signal.signal(signal.SIGALRM, again)\nsignal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)\nprint('done')"
    result = await attempt(executor, code)
    assert result.outcome in (Outcome.OK, Outcome.TIMEOUT)
    await asyncio.sleep(0.1)
    await nothing_runs(executor)


async def test_ending_without_a_result_has_an_outcome(executor: LocalExecutor) -> None:
    ends = ["import os; os._exit(0)", "import os; os.abort()", "import ctypes; ctypes.string_at(0)"]
    ends += [
        "import os; os.close(3)\nwhile True: pass",
        "import sys; sys.setrecursionlimit(10 ** 9)\nclass A:\n  def __repr__(self): return repr([self])\nrepr(A())",
    ]
    for end in ends:
        assert (await attempt(executor, end)).outcome in (Outcome.CRASHED, Outcome.OUT_OF_MEMORY, Outcome.EXCEPTION)
    deep = "x = []\nfor i in range(10 ** 6): x = [x]\nprint(len(repr(x)))"
    assert (await attempt(executor, deep)).output.startswith("RecursionError")
    await nothing_runs(executor)


async def test_memory_bombs_are_stopped(executor: LocalExecutor) -> None:
    bombs = ["x = 'a' * 10 ** 10", "x = []\nwhile True: x.append(bytearray(10 ** 6))", "x = [1]\nwhile True: x += x"]
    for bomb in bombs:
        assert (await attempt(executor, bomb)).outcome is Outcome.OUT_OF_MEMORY
    raised = "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1)); print('ESCAPED')"
    assert (await attempt(executor, raised)).outcome is not Outcome.OK


async def test_output_floods_are_truncated(executor: LocalExecutor) -> None:
    floods = ["print('a' * 10 ** 7)", "while True:\n  try: print('a')\n  except BaseException: pass"]
    for flood in floods:
        result = await attempt(executor, flood)
        assert result.outcome in (Outcome.OUTPUT_TRUNCATED, Outcome.TIMEOUT)
        assert len(result.output) < 200
    direct = "import os\nfor number in (1, 2): os.write(number, b'a' * 10 ** 6)\nprint('ok')"
    assert (await attempt(executor, direct)).output == "ok\n"
