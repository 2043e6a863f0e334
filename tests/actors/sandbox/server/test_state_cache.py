"""Kept states: the same results as a replay, within bounds of number and memory, never where a replay would differ."""

from __future__ import annotations

import asyncio
import random

import psutil
import pytest

from actors.sandbox.client.executor import LocalExecutor
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import ROOT_KEY, Tier, chain
from actors.sandbox.server.replay_costs import Costs
from search.data import Outcome

CONFIG = ExecutorConfig(
    concurrency=2,
    cpu_seconds=2,
    wall_seconds=10,
    memory_mib=128,
    require=Tier.NONE,
    heavy=(),
    replay_forks=0,
    sums=False,
)


async def states_of(executor: LocalExecutor) -> int:
    """How many states are kept, once those that are to go are gone and those that stay are frozen."""
    counts = [-1]
    for _ in range(200):
        counts.append(count_frozen(executor))
        if len(counts) > 10 and len(set(counts[-10:])) == 1:
            break
        await asyncio.sleep(0.05)
    return counts[-1]


def count_frozen(executor: LocalExecutor) -> int:
    return sum(map(frozen, psutil.Process(executor.service.pid).children()))


def frozen(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


def with_(**changes: object) -> ExecutorConfig:
    return CONFIG.model_copy(update=changes)


STEPS = [
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


BEGINNING = "import itertools\nx, values, counter, f = 1, [], itertools.count(), lambda y: y"


def tree(seed: int, size: int) -> list[tuple[tuple[str, ...], str]]:
    """Programs that grow as a search tree does: each from a random earlier one."""
    draw = random.Random(seed)
    programs: list[tuple[str, ...]] = [(BEGINNING,)]
    runs = []
    for _ in range(size):
        prefix = draw.choice(programs)
        code = draw.choice(STEPS).format(n=draw.randrange(9))
        runs.append((prefix, code))
        programs.append((*prefix, code))
    return runs


async def test_kept_states_give_what_a_replay_gives() -> None:
    runs = tree(seed=3, size=120)
    results = []
    for config in (with_(live_states=0), with_(live_states=64), with_(live_states=3), with_(live_mib=0)):
        async with LocalExecutor(config) as executor:
            results.append(await executor.run_many(runs))
    assert results[0] == results[1] == results[2] == results[3]
    outcomes = [result.outcome for result in results[0]]
    assert 20 < outcomes.count(Outcome.OK) < 120


async def test_no_more_states_are_kept_than_allowed() -> None:
    async with LocalExecutor(with_(live_states=5)) as executor:
        for i in range(20):
            await executor.run_code((), f"x = {i}")
        assert await states_of(executor) == 5
        assert (await executor.run_code(("x = 0",), "print(x)")).output == "0\n"


async def test_states_are_dropped_when_they_hold_too_much_memory() -> None:
    async with LocalExecutor(with_(live_mib=64)) as executor:
        for i in range(6):
            await executor.run_code((), f"x = bytearray(20 * 2 ** 20); x[:] = b'{i}' * len(x)")
        assert 1 <= await states_of(executor) <= 3


@pytest.mark.parametrize(
    ("prefix", "code", "output"),
    [
        ("f = open('a', 'w+')", "_ = f.write('one'); f.seek(0); print(f.read())", "one\n"),
        ("f = open('a', 'w'); _ = f.write('two'); f.close()", "print(open('a').read())", "two\n"),
        ("import os; os.chdir('/')", "print(os.getcwd())", "/\n"),
    ],
)
async def test_what_a_fork_would_share_is_not_kept_but_replayed(prefix: str, code: str, output: str) -> None:
    async with LocalExecutor(CONFIG) as executor:
        if executor.service.hello["tier"] == Tier.BASIC:
            pytest.skip("nothing is written at the basic tier")
        for sibling in range(3):
            assert (await executor.run_code((prefix,), f"{code} # {sibling}")).output == output


async def test_a_parent_runs_once_for_all_its_children() -> None:
    slow = "import time; began = time.perf_counter_ns(); time.sleep(0.05)"
    async with LocalExecutor(CONFIG) as executor:
        results = await executor.run_many([((slow,), f"print(began) # {i}") for i in range(8)])
        assert len({result.output for result in results}) == 1


async def test_results_are_remembered() -> None:
    async with LocalExecutor(with_(cache_entries=2)) as executor:
        code = "import time; print(time.perf_counter_ns())"
        first = await executor.run_code((), code)
        assert await executor.run_code((), code) == first
        await executor.run_many([((), "x = 1"), ((), "x = 2")])
        assert await executor.run_code((), code) != first


def test_keys_tell_programs_apart() -> None:
    programs = [("a", "b"), ("ab",), ("b", "a"), ("a",), ("a", "b", ""), ("a\0b",), ("\ud800",)]
    assert len({chain(program)[-1] for program in programs}) == len(programs)
    assert chain(("a", "b"))[0] == chain(("a",))[0]


def test_a_program_is_cheap_where_it_runs_again_in_the_time_of_a_few_forks() -> None:
    costs = Costs(2.0)
    assert not costs.cheap(b"light")
    costs.note(ROOT_KEY, b"heavy", 0.050)
    costs.note(ROOT_KEY, b"light", 0.004)
    costs.note(b"light", b"lighter", 0.005)
    costs.note(b"heavy", b"child", 0.004)
    costs.note(b"forgotten", b"orphan", 0.004)
    assert {key for key in (b"heavy", b"light", b"lighter", b"child", b"orphan") if costs.cheap(key)} == {
        b"light",
        b"lighter",
    }
    costs.note(ROOT_KEY, b"gone", None)
    assert not costs.cheap(b"gone")
    costs.note(ROOT_KEY, b"uncounted", 0.0)
    assert costs.cheap(b"uncounted")
    assert costs.fork_seconds == 0.004
    unseen = Costs(2.0)
    unseen.note(ROOT_KEY, b"uncounted", 0.0)
    assert unseen.cheap(b"uncounted")
    always = Costs(0)
    always.note(ROOT_KEY, b"light", 0.004)
    assert not always.cheap(b"light")


async def test_cheap_programs_are_not_kept_and_run_again_to_the_same_result() -> None:
    runs = tree(seed=5, size=120)
    async with LocalExecutor(with_(replay_forks=1000)) as executor:
        replayed = await executor.run_many(runs)
        kept = await states_of(executor)
    async with LocalExecutor(CONFIG) as executor:
        assert await executor.run_many(runs) == replayed
        assert await states_of(executor) > 10 * kept
