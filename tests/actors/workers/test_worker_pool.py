"""Many workers, real engines and real executors: every problem has one tree in the end, whoever died meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from actors.config import EngineConfig, WorkerConfig
from actors.engines.manager import EngineManager
from actors.pools.executor_pool import start_executors, stop_executors
from actors.sandbox.config import ExecutorConfig
from actors.stats import WorkerStats
from actors.workers.messages import Engines, SearchJob, SearchSpec, TreeSummary, WorkerReport
from actors.workers.worker_pool import SearchStalled, SearchWorkerPool, _first, summaries
from search.config import SearchConfig
from search.data import Cost, ModelRef, Problem
from search.formats.registry import CodeFormat
from search.storage.tree_store import read_trees

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

PROBLEMS = [
    Problem(f"p{number}", f"How much is {number} and {number}?", str(2 * number), "test") for number in range(24)
]
NO_ENGINES = Engines((), EngineConfig(), (), ExecutorConfig())
SEARCH = SearchConfig(rollouts=2, candidates=3, max_depth=3, max_step_tokens=24)


@pytest.fixture(scope="module")
def engines(fleet: EngineManager, models: tuple[ModelRef, ModelRef], engine_config: EngineConfig) -> Iterator[Engines]:
    config = ExecutorConfig()
    executors = start_executors(config, {"num_cpus": 0})
    yield Engines(
        tuple(fleet.policy(models[0])),
        engine_config,
        tuple(executors),
        config,
        tuple(fleet.reward_model(models[1])),
        engine_config,
    )
    stop_executors(executors)


def assignment(directory: Path, **worker: Any) -> SearchSpec:
    config = WorkerConfig(workers=2, trees_in_flight=4, chunk=2, num_cpus=0.1, **worker)
    return SearchSpec(SEARCH, CodeFormat(), directory, seed=5, models={"policy": "r0"}, worker=config)


def test_every_problem_has_one_tree(engines: Engines, tmp_path: Path) -> None:
    came: list[TreeSummary] = []
    pulses: dict[int, WorkerStats] = {}
    plan = assignment(tmp_path)
    with SearchWorkerPool(plan.worker) as crowd:
        found = crowd.run(plan, engines, PROBLEMS, came.append, lambda worker, pulse: pulses.update({worker: pulse}))
    assert came == found
    assert sorted(summary.problem_id for summary in found) == sorted(problem.id for problem in PROBLEMS)
    assert {summary.quarantined for summary in found} == {""}
    trees = {tree.problem.id: tree for tree in read_trees(tmp_path)}
    assert set(trees) == {problem.id for problem in PROBLEMS}
    for summary in found:
        tree = trees[summary.problem_id]
        assert (summary.seed, summary.cost, summary.nodes) == (tree.seed, tree.cost, len(tree.nodes))
        assert tree.cost.generated_tokens > 0
    assert len(list(tmp_path.glob("trees-*.jsonl"))) == 2  # both workers worked
    whole, cost = sum(pulses.values(), WorkerStats()), sum((summary.cost for summary in found), Cost())
    assert set(pulses) == {0, 1} and whole.growing == whole.policy_busy == whole.reward_model_busy == 0
    assert (whole.generated_tokens, whole.prompt_tokens, whole.cached_tokens, whole.executions) == (
        cost.generated_tokens,
        cost.prompt_tokens,
        cost.cached_tokens,
        cost.executions,
    )
    assert (whole.reward_model_tokens, whole.reward_model_cached) == (cost.scored_tokens, cost.scored_cached_tokens)


@pytest.mark.parametrize(
    ("waiting", "workers", "handed"),
    [(100, 2, 32), (20, 2, 10), (20, 1, 20), (6, 2, 8)],  # what it grows at once, its share, all, a chunk
)
def test_a_worker_with_nothing_to_do_is_handed_its_share(waiting: int, workers: int, handed: int) -> None:
    assert _first(waiting, workers, WorkerConfig(trees_in_flight=32, chunk=8)) == handed


def test_a_worker_that_is_killed_loses_no_tree(engines: Engines, tmp_path: Path) -> None:
    killed: list[int] = []
    plan = assignment(tmp_path)
    with SearchWorkerPool(plan.worker) as crowd:

        def kill_one(summary: TreeSummary) -> None:
            if not killed:
                pid = ray.get(crowd._workers[0].pid.remote())
                killed.append(pid)
                os.kill(pid, signal.SIGKILL)

        found = crowd.run(plan, engines, PROBLEMS, kill_one)
        again = crowd.run(assignment(tmp_path / "again"), engines, PROBLEMS[:4])  # the crowd goes on afterwards
    assert killed
    assert sorted(summary.problem_id for summary in found) == sorted(problem.id for problem in PROBLEMS)
    assert {summary.quarantined for summary in found} == {""}
    assert {tree.problem.id for tree in read_trees(tmp_path)} == {problem.id for problem in PROBLEMS}
    assert len(again) == 4


def test_a_problem_that_kills_its_workers_is_put_aside(local_ray: None, tmp_path: Path) -> None:
    class Fragile:
        """Answers every problem, but "poison" ends its process."""

        async def run(self, job: SearchJob, problems: tuple[Problem, ...]) -> AsyncIterator[WorkerReport]:
            for problem in problems:
                if problem.id == "poison":
                    os._exit(1)
                yield WorkerReport([TreeSummary(problem.id, 1, "x")], WorkerStats(growing=1))

        async def pid(self) -> int:
            return os.getpid()

    actor = ray.remote(Fragile).options(max_restarts=-1, num_cpus=0.1)
    workers = [actor.remote() for _ in range(2)]
    config = WorkerConfig(workers=2, trees_in_flight=1, chunk=1, deaths=2)
    plan = SearchSpec(SEARCH, CodeFormat(), tmp_path, seed=5, worker=config)
    problems = [PROBLEMS[0], Problem("poison", "?", "1", "test"), *PROBLEMS[1:6]]
    heard: list[WorkerStats] = []
    job, hear = SearchJob("j", plan, NO_ENGINES), lambda _, pulse: heard.append(pulse)
    found = {summary.problem_id: summary for summary in summaries(workers, job, problems, hear)}
    for worker in workers:
        ray.kill(worker)
    assert len(found) == 7
    assert heard.count(WorkerStats()) == 2  # whoever died has nothing under way
    assert found["poison"].quarantined.startswith("its worker died 2 times; last: ")
    assert {summary.quarantined for name, summary in found.items() if name != "poison"} == {""}


def test_a_worker_that_never_finishes_a_tree_is_given_up_though_it_is_heard_of(local_ray: None, tmp_path: Path) -> None:
    class Busy:
        """Says that it is there, and nothing else."""

        async def run(self, job: SearchJob, problems: tuple[Problem, ...]) -> AsyncIterator[WorkerReport]:
            while True:
                await asyncio.sleep(0.05)
                yield WorkerReport([], WorkerStats(growing=len(problems)))

        async def pid(self) -> int:
            return os.getpid()

    worker = ray.remote(Busy).options(num_cpus=0.1).remote()
    ray.get(worker.pid.remote())  # it runs before the clock does
    plan = SearchSpec(SEARCH, CodeFormat(), tmp_path, seed=5, worker=WorkerConfig(stall_s=5))
    heard: list[tuple[int, WorkerStats]] = []
    with pytest.raises(SearchStalled, match=r"no tree was finished in 5 s; under way in search-0: p0, p1"):
        list(summaries([worker], SearchJob("j", plan, NO_ENGINES), PROBLEMS[:2], lambda *one: heard.append(one)))
    ray.kill(worker)
    assert set(heard) == {(0, WorkerStats(growing=2))}


def test_two_problems_with_one_id_are_refused(engines: Engines, tmp_path: Path) -> None:
    plan = assignment(tmp_path)
    with SearchWorkerPool(plan.worker) as crowd, pytest.raises(ValueError, match="two problems have the same id"):
        crowd.run(plan, engines, [PROBLEMS[0], PROBLEMS[0]])
