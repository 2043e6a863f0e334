"""The worker pool with real engines and executors: every problem gets its trees, whichever worker dies."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray

from actors.config import EngineConfig, WorkerConfig
from actors.engines.manager import EngineManager
from actors.pools.executor_pool import start_executors, stop_executors
from actors.sandbox.config import ExecutorConfig
from actors.stats import WorkerStats
from actors.workers.messages import Engines, SearchJob, SearchSpec, TreeSummary, TreeTask, WorkerReport
from actors.workers.worker_pool import (
    SearchStalled,
    SearchWorkerPool,
    _first_chunk_size,
    stream_summaries,
    tree_tasks,
)
from search.data import Cost, ModelRef, Problem
from search.formats.code_format import CodeFormat
from search.reward_models import RewardModelKind, make_adapter
from search.storage.tree_store import read_trees
from search.strategies.registry import revise, search_config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

PROBLEMS = [
    Problem(id=f"p{number}", question=f"How much is {number} and {number}?", answer=str(2 * number), source="test")
    for number in range(24)
]
NO_ENGINES = Engines(policy=(), policy_config=EngineConfig(), executors=(), executor_config=ExecutorConfig())
SEARCH = search_config(rollouts=2, candidates=3, max_depth=3, max_step_tokens=24)


@pytest.fixture(scope="module")
def engines(
    engine_manager: EngineManager, models: tuple[ModelRef, ModelRef], engine_config: EngineConfig
) -> Iterator[Engines]:
    config = ExecutorConfig()
    executors = start_executors(config, {"num_cpus": 0})
    yield Engines(
        policy=tuple(engine_manager.handles(models[0])),
        policy_config=engine_config,
        executors=tuple(executors),
        executor_config=config,
        reward_model=tuple(engine_manager.handles(models[1])),
        reward_model_config=engine_config,
    )
    stop_executors(executors)


def make_spec(directory: Path, **worker: Any) -> SearchSpec:
    config = WorkerConfig(workers=2, trees_in_flight=4, chunk_size=2, num_cpus=0.1, **worker)
    return SearchSpec(
        search=SEARCH,
        format=CodeFormat(),
        directory=directory,
        seed=5,
        models={"policy": "r0"},
        reward_adapter=make_adapter(directory, RewardModelKind.PPM, CodeFormat()),
        worker=config,
    )


def test_every_problem_gets_one_tree(engines: Engines, tmp_path: Path) -> None:
    streamed: list[TreeSummary] = []
    heartbeats: dict[int, WorkerStats] = {}
    spec = make_spec(tmp_path)
    with SearchWorkerPool(spec.worker) as pool:
        summaries = pool.run(
            spec, engines, PROBLEMS, streamed.append, lambda worker, stats: heartbeats.update({worker: stats})
        )
    assert streamed == summaries
    assert sorted(summary.problem_id for summary in summaries) == sorted(problem.id for problem in PROBLEMS)
    assert {summary.quarantine_reason for summary in summaries} == {""}
    trees = {tree.problem.id: tree for tree in read_trees(tmp_path)}
    assert set(trees) == {problem.id for problem in PROBLEMS}
    for summary in summaries:
        tree = trees[summary.problem_id]
        assert (summary.seed, summary.cost, summary.nodes) == (tree.seed, tree.cost, len(tree.nodes))
        assert tree.cost.generated_tokens > 0
    assert len(list(tmp_path.glob("trees-*.jsonl"))) == 2  # both workers worked
    total, cost = sum(heartbeats.values(), WorkerStats()), sum((summary.cost for summary in summaries), Cost())
    assert set(heartbeats) == {0, 1} and total.active_trees == total.policy_inflight == total.reward_model_inflight == 0
    assert (total.generated_tokens, total.prompt_tokens, total.cached_tokens, total.executions) == (
        cost.generated_tokens,
        cost.prompt_tokens,
        cost.cached_tokens,
        cost.executions,
    )
    assert total.reward_model_prompt_tokens == cost.scored_tokens
    assert total.reward_model_cached_tokens == cost.scored_cached_tokens


@pytest.mark.parametrize(
    ("waiting", "workers", "expected"),
    [(100, 2, 32), (20, 2, 10), (20, 1, 20), (6, 2, 8)],  # what it grows at once, its share, all, a chunk
)
def test_idle_worker_gets_its_share(waiting: int, workers: int, expected: int) -> None:
    assert _first_chunk_size(waiting, workers, WorkerConfig(trees_in_flight=32, chunk_size=8)) == expected


def test_killed_worker_loses_no_tree(engines: Engines, tmp_path: Path) -> None:
    killed: list[int] = []
    spec = make_spec(tmp_path)
    with SearchWorkerPool(spec.worker) as pool:

        def kill_one(summary: TreeSummary) -> None:
            if not killed:
                pid = ray.get(pool._workers[0].pid.remote())
                killed.append(pid)
                os.kill(pid, signal.SIGKILL)

        summaries = pool.run(spec, engines, PROBLEMS, kill_one)
        again = pool.run(make_spec(tmp_path / "again"), engines, PROBLEMS[:4])  # the pool goes on afterwards
    assert killed
    assert sorted(summary.problem_id for summary in summaries) == sorted(problem.id for problem in PROBLEMS)
    assert {summary.quarantine_reason for summary in summaries} == {""}
    assert {tree.problem.id for tree in read_trees(tmp_path)} == {problem.id for problem in PROBLEMS}
    assert len(again) == 4


def test_problem_that_kills_its_workers_is_quarantined(local_ray: None, tmp_path: Path) -> None:
    class Fragile:
        """Answers every problem, but the second tree of "poison" ends its process."""

        async def run(self, job: SearchJob, tasks: tuple[TreeTask, ...]) -> AsyncIterator[WorkerReport]:
            for task in tasks:
                if task.key == ("poison", 1):
                    os._exit(1)
                summary = TreeSummary(problem_id=task.problem.id, number=task.number, seed=1, answer="x")
                yield WorkerReport([summary], WorkerStats(active_trees=1))

        async def pid(self) -> int:
            return os.getpid()

    actor = ray.remote(Fragile).options(max_restarts=-1, num_cpus=0.1)
    workers = [actor.remote() for _ in range(2)]
    config = WorkerConfig(workers=2, trees_in_flight=1, chunk_size=1, max_deaths=2)
    spec = SearchSpec(search=SEARCH, format=CodeFormat(), directory=tmp_path, seed=5, worker=config)
    problems = [PROBLEMS[0], Problem(id="poison", question="?", answer="1", source="test"), *PROBLEMS[1:6]]
    heartbeats: list[WorkerStats] = []
    job = SearchJob("j", spec, NO_ENGINES)
    stream = stream_summaries(workers, job, tree_tasks(problems, 2), lambda _, stats: heartbeats.append(stats))
    summaries = {summary.key: summary for summary in stream}
    for worker in workers:
        ray.kill(worker)
    assert len(summaries) == 14
    assert heartbeats.count(WorkerStats()) == 2  # a dead worker has nothing in flight
    assert summaries["poison", 1].quarantine_reason.startswith("its worker died 2 times; last: ")
    assert {summary.quarantine_reason for key, summary in summaries.items() if key != ("poison", 1)} == {""}


def test_worker_without_progress_stalls_the_search(local_ray: None, tmp_path: Path) -> None:
    class Busy:
        """Sends heartbeats and finishes nothing."""

        async def run(self, job: SearchJob, tasks: tuple[TreeTask, ...]) -> AsyncIterator[WorkerReport]:
            while True:
                await asyncio.sleep(0.05)
                yield WorkerReport([], WorkerStats(active_trees=len(tasks)))

        async def pid(self) -> int:
            return os.getpid()

    worker = ray.remote(Busy).options(num_cpus=0.1).remote()
    ray.get(worker.pid.remote())  # it runs before the clock does
    spec = SearchSpec(search=SEARCH, format=CodeFormat(), directory=tmp_path, seed=5, worker=WorkerConfig(stall_s=2))
    heartbeats: list[tuple[int, WorkerStats]] = []
    job = SearchJob("j", spec, NO_ENGINES)
    with pytest.raises(SearchStalled, match=r"no tree was finished in 2 s; under way in search-0: p0, p1"):
        list(stream_summaries([worker], job, tree_tasks(PROBLEMS[:2], 1), lambda *beat: heartbeats.append(beat)))
    ray.kill(worker)
    assert set(heartbeats) == {(0, WorkerStats(active_trees=2))}


def test_only_missing_trees_are_grown_when_some_are_finished(engines: Engines, tmp_path: Path) -> None:
    spec = make_spec(tmp_path)
    spec = replace(spec, search=revise(SEARCH, {"trees": 2}))
    with SearchWorkerPool(spec.worker) as pool:
        pool.run(spec, engines, PROBLEMS[:3])
        trees = {tree.key: tree for tree in read_trees(tmp_path)}
        assert set(trees) == {(problem.id, number) for problem in PROBLEMS[:3] for number in (0, 1)}
        assert len({tree.seed for tree in trees.values()}) == 6
        again = replace(spec, directory=tmp_path / "again")
        summaries = pool.run(again, engines, PROBLEMS[:3], finished=set(trees) - {("p1", 1)})
    assert [(summary.key, summary.seed) for summary in summaries] == [(("p1", 1), trees["p1", 1].seed)]
    assert [tree.key for tree in read_trees(tmp_path / "again")] == [("p1", 1)]


def test_two_problems_with_one_id_are_rejected(engines: Engines, tmp_path: Path) -> None:
    spec = make_spec(tmp_path)
    with SearchWorkerPool(spec.worker) as pool, pytest.raises(ValueError, match="two problems have the same id"):
        pool.run(spec, engines, [PROBLEMS[0], PROBLEMS[0]])
