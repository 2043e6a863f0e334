"""Changing the interpreter for the next step, and forging a result."""

from __future__ import annotations

import asyncio

import pytest

from actors.sandbox.client.executor import LocalExecutor
from search.data import Outcome
from tests.actors.sandbox.escape.attempts import attempt

pytestmark = pytest.mark.asyncio(loop_scope="module")

TAMPER = """
import sys, builtins, math, gc, io
builtins.print = lambda *a, **k: None
builtins.sum = builtins.len = lambda *a: 99
sys.modules.clear()
math.sqrt = None
sys.stdout = None
for thing in gc.get_objects():
    if isinstance(thing, dict) and '__builtins__' in thing:
        thing.clear()
"""


async def test_tampering_does_not_reach_the_next_step(executor: LocalExecutor) -> None:
    await attempt(executor, TAMPER)
    assert (await attempt(executor, "import math; print(math.sqrt(9), len([1]))")).output == "3.0 1\n"
    assert executor.server.restarts == 0


FORGE = """
import os, struct
body = b'forged'
frames = [b'H', b'F' * 99, bytes(16) + struct.pack('>I', len(body)) + b'k' + body, b'Z' * 30, os.urandom(4000)]
for number in range(64):
    try:
        os.write(number, frames[{which}])
    except OSError:
        pass
"""


@pytest.mark.parametrize("which", range(5))
async def test_forged_frame_is_rejected(executor: LocalExecutor, which: int) -> None:
    other = asyncio.ensure_future(executor.run_code((), f"import time; time.sleep(0.2); print('mine {which}')"))
    result = await attempt(executor, FORGE.format(which=which))
    assert result.outcome is Outcome.FORBIDDEN
    assert (await other).output == f"mine {which}\n"
