"""The sandbox as a whole: tiers and what is refused, words given to the model, heavy modules, a long mixed soak."""

from __future__ import annotations

import asyncio
import os
import pickle
import random
from pathlib import Path

import pytest

from actors.sandbox.client.executor import LocalExecutor
from actors.sandbox.client.result import ExecResult, clean, error_line, interpret
from actors.sandbox.client.service import check_tier
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import Limits, Tier
from search.data import Outcome
from search.errors import UserError

CONFIG = ExecutorConfig(
    concurrency=2, cpu_seconds=1, wall_seconds=3, memory_mib=128, require=Tier.NONE, heavy=(), sums=False
)
SOAK_STEPS = int(os.environ.get("RAYSTAR_SOAK_STEPS", "5000"))


def with_(**changes: object) -> ExecutorConfig:
    return CONFIG.model_copy(update=changes)


@pytest.mark.parametrize("tier", list(Tier))
async def test_steps_run_at_every_tier(tier: Tier) -> None:
    async with LocalExecutor(with_(at_most=tier)) as executor:
        assert Tier(executor.service.hello["tier"]).rank <= tier.rank
        assert (await executor.run_code(("x = 2",), "print(x + 1)")).output == "3\n"
        assert (await executor.run_code((), "import time; time.sleep(99)")).outcome is Outcome.TIMEOUT
        assert (await executor.run_code((), "x = bytearray(10 ** 9)")).outcome is Outcome.OUT_OF_MEMORY


async def test_strict_is_the_default_and_nothing_runs_below_it() -> None:
    assert ExecutorConfig().require is Tier.STRICT
    executor = LocalExecutor(with_(require=Tier.STRICT, at_most=Tier.NONE))
    with pytest.raises(
        UserError, match=r"executor.require is strict but this machine gives none .*executor.require: none"
    ):
        await executor.start()
    with pytest.raises(UserError):
        await executor.run_code((), "print(1)")
    await executor.close()


def test_a_tier_is_enough_for_what_it_includes() -> None:
    for have in Tier:
        for need in Tier:
            if have.rank >= need.rank:
                check_tier(need, have, [])
            else:
                with pytest.raises(UserError, match="because"):
                    check_tier(need, have, ["because"])


async def test_a_module_that_is_not_installed_is_named() -> None:
    executor = LocalExecutor(with_(preload=("math", "no_such_module")))
    with pytest.raises(UserError, match="no_such_module"):
        await executor.start()
    await executor.close()


async def test_heavy_modules_are_loaded_for_programs_that_name_them() -> None:
    async with LocalExecutor(with_(heavy=("numpy", "not_installed"), cpu_seconds=10, memory_mib=512)) as executor:
        assert (await executor.run_code((), "print(1)")).output == "1\n"
        assert executor.heavy_service is None
        result = await executor.run_code(("import numpy as np",), "print(np.arange(3).sum())")
        assert result == ExecResult(Outcome.OK, "3\n")
        assert executor.heavy_service is not None


def test_words_for_the_model_are_the_same_on_every_machine() -> None:
    assert clean("<function f at 0x7f12ab34cd56>") == "<function f at 0x0>"
    assert clean("255 is 0xff at 0xff") == "255 is 0xff at 0xff"
    line = "ImportError: cannot import name 'x' from 'sympy' (/home/a/b/sympy/__init__.py)\nmore"
    assert error_line(line) == "ImportError: cannot import name 'x' from 'sympy' (…) more"
    assert error_line("TypeError: 3/4 and 1/2") == "TypeError: 3/4 and 1/2"
    assert len(error_line("ValueError: " + "9" * 5000)) == 200
    assert interpret("T", "ignored", Limits(cpu_seconds=2)).output == "TimeoutError: did not end within 2 s"
    assert interpret("?", "", Limits()).outcome is Outcome.CRASHED


def test_what_crosses_processes_survives_it() -> None:
    limits = with_(preload=("math",)).limits()
    assert Limits.from_json(limits.to_json()) == limits
    for thing in (CONFIG, ExecResult(Outcome.OK, "1\n")):
        assert pickle.loads(pickle.dumps(thing)) == thing


def soak_step(draw: random.Random, i: int) -> tuple[tuple[str, ...], str, Outcome | None, str | None]:
    """A run and what must come of it; None where anything may."""
    before = (f"x = {i % 50}",)
    kinds: list[tuple[tuple[str, ...], str, Outcome | None, str | None]] = [
        ((), f"print({i} * 2)", Outcome.OK, f"{i * 2}\n"),
        (before, f"print(x + {i})", Outcome.OK, f"{i % 50 + i}\n"),
        (before, f"x += {i}; raise KeyError(x)", Outcome.EXCEPTION, f"KeyError: {i % 50 + i}"),
        ((), f"y{i} = (", Outcome.SYNTAX_ERROR, None),
        ((), f"import os; os._exit({i % 7}) # {i}", Outcome.CRASHED, None),
        ((), f"import ctypes; ctypes.string_at({i % 9})", Outcome.CRASHED, None),
        ((), f"import os\nfor n in range(9): os.write(n, b'{i}' * 9)", Outcome.FORBIDDEN, None),
        ((), f"open('f{i}', 'w').write('x'); print({i})", None, None),
        ((), f"import os; os.fork() # {i}", Outcome.FORBIDDEN, None),
        ((), f"print('a' * 20000) # {i}", Outcome.OUTPUT_TRUNCATED, None),
        ((), f"x = [{i}] * 10 ** 9", Outcome.OUT_OF_MEMORY, None),
        ((), draw.randbytes(draw.randrange(200)).decode("utf-8", "surrogateescape") + f"# {i}", None, None),
    ]
    rare = ((), f"while True: pass # {i}", Outcome.TIMEOUT, None)
    return rare if i % 1000 == 500 else draw.choice(kinds)


async def settled(executor: LocalExecutor) -> tuple[int, int, int, int]:
    """What the service holds once the last steps are gone."""
    for _ in range(200):
        children, _, files, _ = now = held(executor)
        if children <= 1 + 16 and not files:
            break
        await asyncio.sleep(0.05)
    return now


def held(executor: LocalExecutor) -> tuple[int, int, int, int]:
    """Of the service: children, descriptors that belong to no child, files in its scratch, resident MiB."""
    pid = executor.service.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    descriptors = os.listdir(f"/proc/{pid}/fd")
    scratch = Path(Path(f"/proc/{pid}/cmdline").read_text().split("\0")[-2])
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20
    own = len(descriptors) - 2 * len(children)  # of each child it holds a socket and a pidfd
    return len(children), own, sum(len(files) for _, _, files in os.walk(scratch)), round(resident)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_a_long_mixed_soak_leaves_nothing_behind() -> None:
    """Every step answered exactly once and rightly; no process, descriptor, file or memory piles up."""
    draw = random.Random(11)
    steps = [soak_step(draw, i) for i in range(SOAK_STEPS)]
    async with LocalExecutor(with_(live_states=16, cache_entries=0)) as executor:
        lawful = executor.service.hello["tier"] != Tier.NONE
        early = (0, 0, 0, 0)
        for start in range(0, len(steps), 250):
            batch = steps[start : start + 250]
            results = await executor.run_many([(prefix, code) for prefix, code, _, _ in batch])
            assert len(results) == len(batch)
            for result, (_, code, outcome, output) in zip(results, batch, strict=True):
                if lawful or "fork" not in code:
                    assert outcome in (None, result.outcome), (code, result)
                assert output in (None, result.output), (code, result)
            if start == 250:
                early = await settled(executor)
        late = await settled(executor)
        assert executor.service.restarts == 0 and not executor.service.pending and not executor.service.shared
    children, descriptors, files, resident = late
    assert children <= 1 + 16  # the interpreter and kept states
    assert descriptors <= early[1] + 4
    assert files == 0
    assert resident <= early[3] + 8
