"""Executors: outcomes of steps, isolation between programs, and recovery when the sandbox dies."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
import ray

from actors.errors import RequestFailed
from actors.pools import executor_pool
from actors.pools.executor_pool import (
    MAX_FAILED_TRIES,
    ExecutorPool,
    ExecutorUnavailable,
    LocalExecutor,
    count_restarts,
    start_executors,
    stop_executors,
)
from actors.rpc.server import RpcServer
from actors.sandbox.client.autoprint import add_autoprint
from actors.sandbox.client.executor import codes_of, is_comment_only, make_program
from actors.sandbox.client.result import ExecResult
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import Tier
from search.concurrency.tracing import recording
from search.core.expansion import mark_code_error
from search.data import Outcome, Problem, State, Step, StepStatus
from tests.fakes.ray_handle import ActorHandle
from tests.fakes.span_outline import Outline

ROOT = Path(__file__).resolve().parents[3]
PROBLEM = Problem(id="p", question="What?", answer="1", source="test")
CONFIG = ExecutorConfig(
    concurrency=2, cpu_seconds=1, wall_seconds=30, memory_mib=128, required_tier=Tier.NONE, evaluate_arithmetic=False
)


def state(*codes: str) -> State:
    return State(PROBLEM, tuple(Step(code, code=code, status=StepStatus.OPEN) for code in codes))


def step(code: str) -> Step:
    return Step(code + "<end_of_step>", code=code)


@pytest_asyncio.fixture(loop_scope="function")
async def executor() -> AsyncIterator[LocalExecutor]:
    async with LocalExecutor(CONFIG) as local:
        yield local


CASES = [
    ("print(1 + 1)", Outcome.OK, "2\n"),
    ("x = 3", Outcome.OK, "3\n"),
    ("print('é', 'ω')", Outcome.OK, "é ω\n"),
    ("print(x)", Outcome.EXCEPTION, "NameError: name 'x' is not defined (line 1: print(x))"),
    ("1 / 0", Outcome.EXCEPTION, "ZeroDivisionError: division by zero (line 1: 1 / 0)"),
    ("raise SystemExit(3)", Outcome.EXCEPTION, "SystemExit: 3"),
    ("class E(Exception): pass\nraise E('no')", Outcome.EXCEPTION, "E: no (line 2: raise E('no'))"),
    ("input()", Outcome.EXCEPTION, "EOFError: there is no input (line 1: input())"),
    ("x = (1,", Outcome.SYNTAX_ERROR, "SyntaxError: '(' was never closed (line 1: x = (1,)"),
    ("while True: pass", Outcome.TIMEOUT, "TimeoutError: did not end within 1 s"),
    ("x = bytearray(10 ** 9)", Outcome.OUT_OF_MEMORY, "MemoryError: needs more than 128 MiB"),
    ("x = []\nwhile True: x.append(b'a' * 9999)", Outcome.OUT_OF_MEMORY, "MemoryError: needs more than 128 MiB"),
    ("while True: print('a' * 99)", Outcome.OUTPUT_TRUNCATED, "OutputError: printed more than 16384 bytes"),
    ("import os; os._exit(0)", Outcome.CRASHED, "SystemError: the interpreter ended abruptly"),
    ("import ctypes; ctypes.string_at(0)", Outcome.CRASHED, "SystemError: the interpreter ended abruptly"),
]


@pytest.mark.parametrize(("code", "outcome", "output"), CASES)
async def test_step_ends_with_its_outcome_and_the_next_one_runs(
    executor: LocalExecutor, code: str, outcome: Outcome, output: str
) -> None:
    (done,) = await executor.run(state(), [step(code)])
    assert (done.outcome, done.output) == (outcome, output)
    assert done.status is (StepStatus.OPEN if outcome is Outcome.OK else StepStatus.CODE_ERROR)
    (after,) = await executor.run(state(), [step("print('next')")])
    assert (after.outcome, after.output) == (Outcome.OK, "next\n")


async def test_step_over_the_output_limit_is_not_continued(executor: LocalExecutor) -> None:
    flood = "x = 1\nwhile True: print('a' * 99)"
    (done,) = await executor.run(state(), [step(flood)])
    assert mark_code_error(done) == done  # a search has the executor's rule
    (after,) = await executor.run(state(flood), [step("print(x)")])
    assert (after.outcome, after.status) == (Outcome.OUTPUT_TRUNCATED, StepStatus.CODE_ERROR)


async def test_code_runs_after_its_ancestors_with_only_its_own_output(executor: LocalExecutor) -> None:
    before = state("x = 4\nprint('one')", "def f(y): return x * y\nprint('two')")
    (done,) = await executor.run(before, [step("print(f(5))")])
    assert done.output == "20\n"


async def test_siblings_and_programs_are_isolated_from_each_other(executor: LocalExecutor) -> None:
    parent = state("values = [1]")
    grow = step("values.append(2); import math; math.pi = 3; print(values, math.pi)")
    look = step("import math; print(values, math.pi > 3.1)")
    first, second = await executor.run(parent, [grow, look])
    assert (first.output, second.output) == ("[1, 2] 3\n", "[1] True\n")
    (alone,) = await executor.run(state(), [step("print(values)")])
    assert alone.outcome is Outcome.EXCEPTION


async def test_step_is_unchanged_when_it_has_no_code_or_has_ended(executor: LocalExecutor) -> None:
    words = Step("Step 1: think.\n\n")
    ended = Step("x = ", code="x = ", status=StepStatus.NO_ANSWER)
    ran, twice = await executor.run(state(), [words, step("print(1)"), ended, step("print(2)")]), ("1\n", "2\n")
    assert (ran[0], ran[2]) == (words, ended)
    assert (ran[1].output, ran[3].output) == twice


async def test_step_of_comments_runs_without_an_executor() -> None:
    pool = ExecutorPool([], ExecutorConfig())  # no executor to call
    (done,) = await pool.run(state(), [step("\n# a dog barks\n  # and a cat")])
    assert (done.outcome, done.status, done.output) == (Outcome.OK, StepStatus.OPEN, "")
    assert make_program(codes_of(state().then(done)), "a = 1") == ((), add_autoprint("a = 1"))


class DroppingExecutor(RpcServer):
    """An executor that drops its first ``failures`` requests and never prints."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures, self.requests = failures, 0

    async def run(self, prefix: tuple[str, ...], codes: tuple[str, ...]) -> list[ExecResult]:
        self.requests += 1
        if self.requests <= self.failures:
            raise OSError("too many open files")
        return [ExecResult(Outcome.OK, "")] * len(codes)


async def test_dropped_request_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_pool, "RETRY_PAUSE_S", 0.0)
    executor = DroppingExecutor(MAX_FAILED_TRIES - 1)
    pool = ExecutorPool([ActorHandle(executor)], CONFIG)
    (done,) = await pool.run(state(), [step("x = 1")])
    assert (done.outcome, executor.requests) == (Outcome.OK, MAX_FAILED_TRIES)
    assert pool.counts == {"retries": MAX_FAILED_TRIES - 1}


async def test_span_of_a_request_covers_all_its_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_pool, "RETRY_PAUSE_S", 0.0)
    outline = Outline()
    with recording(outline):
        await ExecutorPool([ActorHandle(DroppingExecutor(1))], CONFIG).run(state(), [step("x = 1"), step("x = 2")])
    assert outline.lines == ["execute executor=executor-0 programs=2"]


async def test_request_that_is_always_dropped_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_pool, "RETRY_PAUSE_S", 0.0)
    executor = DroppingExecutor(99)
    pool = ExecutorPool([ActorHandle(executor)], CONFIG)
    with pytest.raises(RequestFailed, match="OSError: too many open files"):
        await pool.run(state(), [step("x = 1")])
    assert executor.requests == MAX_FAILED_TRIES
    assert pool.counts == {"retries": MAX_FAILED_TRIES - 1, "gave_up": 1}


async def test_executor_that_does_not_answer_is_named() -> None:
    handle = ActorHandle(DroppingExecutor(0))
    handle.die()
    pool = ExecutorPool([handle], CONFIG.model_copy(update={"request_deadline_s": 0.1, "wall_seconds": 0.1}))
    with pytest.raises(ExecutorUnavailable, match=r"^executor-0 did not answer in 0.1 s$"):
        await pool.run(state(), [step("x = 1")])
    assert pool.counts == {"gave_up": 1}


@pytest.mark.parametrize("code", ["# a\nb", "#\x00", "# \ud800", "\u2003# a", "pass"])
def test_code_that_python_runs_or_rejects_is_not_comment_only(code: str) -> None:
    assert not is_comment_only(code)


async def test_failing_prefix_gives_its_own_outcome(executor: LocalExecutor) -> None:
    (done,) = await executor.run(state("x = 1", "y = z"), [step("print(x)")])
    assert (done.outcome, done.output) == (Outcome.EXCEPTION, "NameError: name 'z' is not defined (line 1: y = z)")


async def test_five_hundred_mixed_steps_run_exactly_once(executor: LocalExecutor) -> None:
    kinds = [
        (lambda i: f"print({i})", lambda i: (Outcome.OK, f"{i}\n")),
        (
            lambda i: f"print(n{i})",
            lambda i: (Outcome.EXCEPTION, f"NameError: name 'n{i}' is not defined (line 1: print(n{i}))"),
        ),
        (
            lambda i: f"x = {i}; raise ValueError(x)",
            lambda i: (Outcome.EXCEPTION, f"ValueError: {i} (line 1: x = {i}; raise ValueError(x))"),
        ),
        (lambda i: f"x = {i}; import os; os._exit(x)", lambda i: (Outcome.CRASHED, None)),
        (lambda i: f"print(x + {i})", lambda i: (Outcome.OK, f"{i + i // 10}\n")),
    ]
    runs = [((f"x = {i // 10}",), kinds[i % 5][0](i)) for i in range(500)]
    results = await executor.run_programs(runs)
    assert len(results) == 500
    for i, result in enumerate(results):
        outcome, output = kinds[i % 5][1](i)
        assert result.outcome is outcome
        assert output is None or result.output == output
    assert not executor.server.pending


@pytest.mark.parametrize("victim", ["pid", "zygote"])
async def test_no_run_is_lost_when_the_sandbox_is_killed(executor: LocalExecutor, victim: str) -> None:
    runs = [(("x = 1",), f"print(x + {i})") for i in range(120)]
    answers = asyncio.ensure_future(executor.run_programs(runs))
    await asyncio.sleep(0.05)
    os.kill(int(executor.server.hello[victim]), signal.SIGKILL)
    results = await asyncio.wait_for(answers, 120)
    assert [result.output for result in results] == [f"{i + 1}\n" for i in range(120)]
    assert executor.server.restarts == 1


async def test_no_process_is_left_when_the_executor_closes() -> None:
    executor = LocalExecutor(CONFIG)
    await executor.start()
    await executor.run_programs([((), f"x = {i}") for i in range(5)])
    hanging = asyncio.ensure_future(executor.run_programs([((), "import time; time.sleep(99)")]))
    await asyncio.sleep(0.3)
    group = executor.server.pid
    await executor.close()
    await asyncio.gather(hanging, return_exceptions=True)
    assert await eventually(lambda: not alive(group)), "processes of the sandbox are left"


async def test_sandbox_cleans_up_when_its_client_is_killed(tmp_path: Path) -> None:
    code = "import asyncio, os, sys; from actors.sandbox.client.executor import LocalExecutor as E; "
    code += "from actors.sandbox.config import ExecutorConfig as C\n"
    code += "async def main():\n  e = E(C(required_tier='none')); print(await e.start()); os.kill(os.getpid(), 9)\n"
    code += "asyncio.run(main())"
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    client = await asyncio.create_subprocess_exec(sys.executable, "-c", code, env=environment)
    assert await client.wait() == -signal.SIGKILL
    assert await eventually(lambda: not os.listdir(tmp_path)), f"left behind: {os.listdir(tmp_path)}"


async def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Return whether ``condition`` becomes true in time."""
    end = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(0.05)
    return True


def alive(group: int) -> bool:
    """Return whether any process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
async def test_pool_spreads_problems_and_survives_an_actors_death(local_ray: None) -> None:
    config = CONFIG.model_copy(update={"replicas": 2, "concurrency": 1})
    handles = start_executors(config)
    pool = ExecutorPool(handles, config)
    states = [
        State(Problem(id=f"p{i}", question="?", answer="1", source="test"), state(f"x = {i}").steps) for i in range(40)
    ]
    answers = asyncio.gather(
        *(pool.run(problem_state, [step(f"print(x + {k})") for k in range(3)]) for problem_state in states)
    )
    await asyncio.sleep(0.1)
    ray.kill(handles[0], no_restart=False)
    done = await asyncio.wait_for(answers, 100)
    assert [ran.output for siblings in done for ran in siblings] == [f"{i + k}\n" for i in range(40) for k in range(3)]
    assert {
        sum(replica.client.actor is handle for replica in pool.replica_by_problem.values()) for handle in handles
    } == {20}
    assert count_restarts(handles) == 0  # the actor restarted, no fork server did
    stop_executors(handles)
