"""Test the sandbox as a whole: tiers, result texts, heavy modules, a long mixed soak."""

from __future__ import annotations

import asyncio
import os
import pickle
import random
from pathlib import Path

import pytest

from actors.sandbox.client.executor import LocalExecutor
from actors.sandbox.client.result import ExecResult, make_result, normalize_error, normalize_output
from actors.sandbox.client.server_handle import check_tier
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import Limits, Tier
from search.data import Outcome
from search.errors import UserError

CONFIG = ExecutorConfig(
    concurrency=2,
    cpu_seconds=1,
    wall_seconds=3,
    memory_mib=128,
    required_tier=Tier.NONE,
    heavy_modules=(),
    evaluate_arithmetic=False,
)
SOAK_STEPS = int(os.environ.get("RAYSTAR_SOAK_STEPS", "1500"))  # `make thorough` runs 5000


def config_with(**changes: object) -> ExecutorConfig:
    return CONFIG.model_copy(update=changes)


@pytest.mark.parametrize("tier", list(Tier))
async def test_steps_run_at_every_tier(tier: Tier) -> None:
    async with LocalExecutor(config_with(max_tier=tier)) as executor:
        assert Tier(executor.server.hello["tier"]).rank <= tier.rank
        assert (await executor.run_code(("x = 2",), "print(x + 1)")).output == "3\n"
        assert (await executor.run_code((), "import time; time.sleep(99)")).outcome is Outcome.TIMEOUT
        assert (await executor.run_code((), "x = bytearray(10 ** 9)")).outcome is Outcome.OUT_OF_MEMORY


async def test_executor_refuses_to_run_below_the_required_tier() -> None:
    assert ExecutorConfig().required_tier is Tier.STRICT
    executor = LocalExecutor(config_with(required_tier=Tier.STRICT, max_tier=Tier.NONE))
    with pytest.raises(
        UserError, match=r"executor.required_tier is strict but this machine gives none .*executor.required_tier: none"
    ):
        await executor.start()
    with pytest.raises(UserError):
        await executor.run_code((), "print(1)")
    await executor.close()


def test_check_tier_accepts_the_required_tier_or_higher() -> None:
    for actual in Tier:
        for required in Tier:
            if actual.rank >= required.rank:
                check_tier(required, actual, [])
            else:
                with pytest.raises(UserError, match="because"):
                    check_tier(required, actual, ["because"])


async def test_start_names_the_preload_module_that_is_missing() -> None:
    executor = LocalExecutor(config_with(preload=("math", "no_such_module")))
    with pytest.raises(UserError, match="no_such_module"):
        await executor.start()
    await executor.close()


async def test_heavy_server_starts_when_a_program_names_a_module() -> None:
    async with LocalExecutor(
        config_with(heavy_modules=("numpy", "not_installed"), cpu_seconds=10, memory_mib=512)
    ) as executor:
        assert (await executor.run_code((), "print(1)")).output == "1\n"
        assert executor.heavy_server is None
        result = await executor.run_code(("import numpy as np",), "print(np.arange(3).sum())")
        assert result == ExecResult(Outcome.OK, "3\n")
        assert executor.heavy_server is not None


def test_result_text_is_the_same_on_every_machine() -> None:
    assert normalize_output("<function f at 0x7f12ab34cd56>") == "<function f at 0x0>"
    assert normalize_output("255 is 0xff at 0xff") == "255 is 0xff at 0xff"
    line = "ImportError: cannot import name 'x' from 'sympy' (/home/a/b/sympy/__init__.py)\nmore"
    assert normalize_error(line) == "ImportError: cannot import name 'x' from 'sympy' (…) more"
    assert normalize_error("TypeError: 3/4 and 1/2") == "TypeError: 3/4 and 1/2"
    assert len(normalize_error("ValueError: " + "9" * 5000)) == 200
    assert make_result(b"T", "ignored", Limits(cpu_seconds=2)).output == "TimeoutError: did not end within 2 s"
    assert make_result(b"?", "", Limits()).outcome is Outcome.CRASHED


def test_records_survive_crossing_processes() -> None:
    limits = config_with(preload=("math",)).limits()
    assert Limits.from_json(limits.to_json()) == limits
    for record in (CONFIG, ExecResult(Outcome.OK, "1\n")):
        assert pickle.loads(pickle.dumps(record)) == record


def soak_step(rng: random.Random, i: int) -> tuple[tuple[str, ...], str, Outcome | None, str | None]:
    """Return a prefix, a code, and the outcome and output that are required; None where any will do."""
    prefix = (f"x = {i % 50}",)
    kinds: list[tuple[tuple[str, ...], str, Outcome | None, str | None]] = [
        ((), f"print({i} * 2)", Outcome.OK, f"{i * 2}\n"),
        (prefix, f"print(x + {i})", Outcome.OK, f"{i % 50 + i}\n"),
        (
            prefix,
            f"x += {i}; raise KeyError(x)",
            Outcome.EXCEPTION,
            f"KeyError: {i % 50 + i} (line 1: x += {i}; raise KeyError(x))",
        ),
        ((), f"y{i} = (", Outcome.SYNTAX_ERROR, None),
        ((), f"import os; os._exit({i % 7}) # {i}", Outcome.CRASHED, None),
        ((), f"import ctypes; ctypes.string_at({i % 9})", Outcome.CRASHED, None),
        ((), f"import os\nfor n in range(9): os.write(n, b'{i}' * 9)", Outcome.FORBIDDEN, None),
        ((), f"open('f{i}', 'w').write('x'); print({i})", None, None),
        ((), f"import os; os.fork() # {i}", Outcome.FORBIDDEN, None),
        ((), f"print('a' * 20000) # {i}", Outcome.OUTPUT_TRUNCATED, None),
        ((), f"x = [{i}] * 10 ** 9", Outcome.OUT_OF_MEMORY, None),
        ((), rng.randbytes(rng.randrange(200)).decode("utf-8", "surrogateescape") + f"# {i}", None, None),
    ]
    rare = ((), f"while True: pass # {i}", Outcome.TIMEOUT, None)
    return rare if i % 1000 == 500 else rng.choice(kinds)


async def count_resources_when_idle(executor: LocalExecutor) -> tuple[int, int, int, int]:
    """Return what the fork server holds once the last steps are gone."""
    for _ in range(200):
        children, _, files, _ = resources = count_resources(executor)
        if children <= 1 + 16 and not files:
            break
        await asyncio.sleep(0.05)
    return resources


def count_resources(executor: LocalExecutor) -> tuple[int, int, int, int]:
    """Return the fork server's children, descriptors of no child, scratch files and resident MiB."""
    pid = executor.server.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    descriptors = os.listdir(f"/proc/{pid}/fd")
    scratch = Path(Path(f"/proc/{pid}/cmdline").read_text().split("\0")[-2])
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20
    own_descriptors = len(descriptors) - 2 * len(children)  # of each child it holds a socket and a pidfd
    return len(children), own_descriptors, sum(len(files) for _, _, files in os.walk(scratch)), round(resident)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("count", [SOAK_STEPS, pytest.param(5000, marks=pytest.mark.thorough)])
async def test_long_mixed_soak_leaves_nothing_behind(count: int) -> None:
    """Every step is answered exactly once and correctly; no process, descriptor, file or memory accumulates."""
    rng = random.Random(11)
    steps = [soak_step(rng, i) for i in range(count)]
    async with LocalExecutor(config_with(live_states=16, cache_entries=0)) as executor:
        confined = executor.server.hello["tier"] != Tier.NONE
        early = (0, 0, 0, 0)
        for start in range(0, len(steps), 250):
            batch = steps[start : start + 250]
            results = await executor.run_programs([(prefix, code) for prefix, code, _, _ in batch])
            assert len(results) == len(batch)
            for result, (_, code, outcome, output) in zip(results, batch, strict=True):
                if confined or "fork" not in code:
                    assert outcome in (None, result.outcome), (code, result)
                assert output in (None, result.output), (code, result)
            if start == 250:
                early = await count_resources_when_idle(executor)
        late = await count_resources_when_idle(executor)
        assert executor.server.restarts == 0 and not executor.server.pending and not executor.server.shared
    children, descriptors, files, resident = late
    assert children <= 1 + 16  # the interpreter and kept states
    assert descriptors <= early[1] + 4
    assert files == 0
    assert resident <= early[3] + 8
