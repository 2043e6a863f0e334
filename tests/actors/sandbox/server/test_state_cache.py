"""Test kept states: the results of a replay, bounds of number and memory, and when a replay is preferred."""

from __future__ import annotations

import asyncio
import random

import psutil
import pytest

from actors.sandbox.client.executor import LocalExecutor
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import ROOT_KEY, Tier, prefix_keys
from actors.sandbox.server.replay_costs import ReplayCosts
from search.data import Outcome

CONFIG = ExecutorConfig(
    concurrency=2,
    cpu_seconds=2,
    wall_seconds=10,
    memory_mib=128,
    required_tier=Tier.NONE,
    heavy_modules=(),
    replay_forks=0,
    evaluate_arithmetic=False,
)


async def count_states(executor: LocalExecutor) -> int:
    """Return the number of kept states once it is stable: dropped ones are gone, the others frozen."""
    counts = [-1]
    for _ in range(200):
        counts.append(count_frozen(executor))
        if len(counts) > 10 and len(set(counts[-10:])) == 1:
            break
        await asyncio.sleep(0.05)
    return counts[-1]


def count_frozen(executor: LocalExecutor) -> int:
    return sum(map(is_frozen, psutil.Process(executor.server.pid).children()))


def is_frozen(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


def config_with(**changes: object) -> ExecutorConfig:
    return CONFIG.model_copy(update=changes)


STEP_TEMPLATES = [
    "x = x + {n}",
    "values.append({n}); values[{n}]",
    "import random; print(random.random(), {n})",
    "def f(y): return y * {n}",
    "print(x, values, f({n}))",
    "print(sorted({{str(i) for i in range({n})}}, key=hash))",
    "import itertools; counter = itertools.count({n})",
    "print(next(counter))",
    "class C:\n  n = {n}\nprint(C.n, C().__class__.__name__)",
]


FIRST_STEP = "import itertools\nx, values, counter, f = 1, [], itertools.count(), lambda y: y"


def grow_programs(seed: int, size: int) -> list[tuple[tuple[str, ...], str]]:
    """Return programs that grow as a search tree does: each from a random earlier one."""
    rng = random.Random(seed)
    programs: list[tuple[str, ...]] = [(FIRST_STEP,)]
    runs = []
    for _ in range(size):
        prefix = rng.choice(programs)
        code = rng.choice(STEP_TEMPLATES).format(n=rng.randrange(9))
        runs.append((prefix, code))
        programs.append((*prefix, code))
    return runs


async def test_kept_states_give_the_results_of_a_replay() -> None:
    runs = grow_programs(seed=3, size=120)
    results = []
    for config in (
        config_with(live_states=0),
        config_with(live_states=64),
        config_with(live_states=3),
        config_with(live_states_mib=0),
    ):
        async with LocalExecutor(config) as executor:
            results.append(await executor.run_programs(runs))
    assert results[0] == results[1] == results[2] == results[3]
    outcomes = [result.outcome for result in results[0]]
    assert 20 < outcomes.count(Outcome.OK) < 120


async def test_kept_states_stay_within_their_number() -> None:
    async with LocalExecutor(config_with(live_states=5)) as executor:
        for i in range(20):
            await executor.run_code((), f"x = {i}")
        assert await count_states(executor) == 5
        assert (await executor.run_code(("x = 0",), "print(x)")).output == "0\n"


async def test_kept_states_stay_within_their_memory() -> None:
    async with LocalExecutor(config_with(live_states_mib=64)) as executor:
        for i in range(6):
            await executor.run_code((), f"x = bytearray(20 * 2 ** 20); x[:] = b'{i}' * len(x)")
        assert 1 <= await count_states(executor) <= 3


@pytest.mark.parametrize(
    ("prefix", "code", "output"),
    [
        ("f = open('a', 'w+')", "_ = f.write('one'); f.seek(0); print(f.read())", "one\n"),
        ("f = open('a', 'w'); _ = f.write('two'); f.close()", "print(open('a').read())", "two\n"),
        ("import os; os.chdir('/')", "print(os.getcwd())", "/\n"),
    ],
)
async def test_state_is_replayed_when_a_fork_would_share_it(prefix: str, code: str, output: str) -> None:
    async with LocalExecutor(CONFIG) as executor:
        if executor.server.hello["tier"] == Tier.BASIC:
            pytest.skip("nothing is written at the basic tier")
        for sibling in range(3):
            assert (await executor.run_code((prefix,), f"{code} # {sibling}")).output == output


async def test_parent_runs_once_for_all_its_children() -> None:
    slow = "import time; began = time.perf_counter_ns(); time.sleep(0.05)"
    async with LocalExecutor(CONFIG) as executor:
        results = await executor.run_programs([((slow,), f"print(began) # {i}") for i in range(8)])
        assert len({result.output for result in results}) == 1


async def test_results_are_cached() -> None:
    async with LocalExecutor(config_with(cache_entries=2)) as executor:
        code = "import time; print(time.perf_counter_ns())"
        first = await executor.run_code((), code)
        assert await executor.run_code((), code) == first
        await executor.run_programs([((), "x = 1"), ((), "x = 2")])
        assert await executor.run_code((), code) != first


def test_prefix_keys_distinguish_programs() -> None:
    programs = [("a", "b"), ("ab",), ("b", "a"), ("a",), ("a", "b", ""), ("a\0b",), ("\ud800",)]
    assert len({prefix_keys(program)[-1] for program in programs}) == len(programs)
    assert prefix_keys(("a", "b"))[0] == prefix_keys(("a",))[0]


def test_program_is_cheap_when_its_replay_takes_few_forks() -> None:
    costs = ReplayCosts(2.0)
    assert not costs.is_cheap(b"light")
    costs.record(ROOT_KEY, b"heavy", 0.050)
    costs.record(ROOT_KEY, b"light", 0.004)
    costs.record(b"light", b"lighter", 0.005)
    costs.record(b"heavy", b"child", 0.004)
    costs.record(b"forgotten", b"orphan", 0.004)
    assert {key for key in (b"heavy", b"light", b"lighter", b"child", b"orphan") if costs.is_cheap(key)} == {
        b"light",
        b"lighter",
    }
    costs.record(ROOT_KEY, b"gone", None)
    assert not costs.is_cheap(b"gone")
    costs.record(ROOT_KEY, b"uncounted", 0.0)
    assert costs.is_cheap(b"uncounted")
    assert costs.fork_seconds == 0.004
    unseen = ReplayCosts(2.0)
    unseen.record(ROOT_KEY, b"uncounted", 0.0)
    assert unseen.is_cheap(b"uncounted")
    always = ReplayCosts(0)
    always.record(ROOT_KEY, b"light", 0.004)
    assert not always.is_cheap(b"light")


async def test_cheap_programs_are_replayed_to_the_same_result() -> None:
    runs = grow_programs(seed=5, size=120)
    async with LocalExecutor(config_with(replay_forks=1000)) as executor:
        replayed = await executor.run_programs(runs)
        kept = await count_states(executor)
    async with LocalExecutor(CONFIG) as executor:
        assert await executor.run_programs(runs) == replayed
        assert await count_states(executor) > 10 * kept
