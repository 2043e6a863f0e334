"""What a step could inherit: descriptors, the environment, memory of others."""

from __future__ import annotations

import pytest

from actors.sandbox.client.executor import LocalExecutor
from tests.actors.sandbox.escape.attempts import SECRET, attempt

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_step_inherits_only_null_devices_and_its_socket(executor: LocalExecutor) -> None:
    code = """
import os
found = []
for number in range(1024):
    try:
        os.fstat(number)
        found.append(number)
    except OSError:
        pass
print(found)
"""
    assert (await attempt(executor, code)).output == "[0, 1, 2, 3]\n"


async def test_environment_holds_only_constants(executor: LocalExecutor) -> None:
    code = "import os; print(sorted(os.environ))"
    constants = ["HOME", "LC_ALL", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED", "TZ"]
    assert (await attempt(executor, code)).output == f"{constants}\n"
    dig = "import ctypes; e = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), 'environ'); i = 0\n"
    dig += "while e[i]:\n  print(e[i]); i += 1"
    assert "RAYSTAR" not in (await attempt(executor, dig)).output


async def test_memory_holds_nothing_of_other_steps(executor: LocalExecutor) -> None:
    await executor.run_code((), f"word = {SECRET!r} * 3")
    code = "import gc\nprint([o for o in gc.get_objects() if isinstance(o, dict) and 'word' in o] and 'ESCAPED')"
    assert (await attempt(executor, code)).output == "[]\n"
