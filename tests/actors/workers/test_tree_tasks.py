"""Tasks of a search with several trees a problem, without Ray: their order, and what a dead worker leaves behind."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest

from actors.config import EngineConfig, WorkerConfig
from actors.sandbox.config import ExecutorConfig
from actors.workers.messages import Engines, SearchJob, SearchSpec, TreeTask, summarise
from actors.workers.search_worker import SearchWorker
from actors.workers.worker_pool import DispatchState, InflightChunk, _requeue, _stall_message, tree_tasks
from search.data import Problem
from search.formats.code_format import CodeFormat
from search.seeds import tree_seed
from search.storage.tree_store import TreeWriter, read_trees, worker_file
from search.strategies.registry import search_config
from search.tree import Tree
from tests.actors.workers.test_search_worker import make_job

PROBLEMS = tuple(Problem(id=name, question="?", answer="3", source="test") for name in ("a", "b"))
ENGINES = Engines(
    policy=(object(),), policy_config=EngineConfig(), executors=(object(),), executor_config=ExecutorConfig()
)


def make_state(directory: Path, tasks: tuple[TreeTask, ...], deaths: int = 0) -> tuple[DispatchState, InflightChunk]:
    spec = SearchSpec(
        search=search_config(trees=3),
        format=CodeFormat(),
        directory=directory,
        seed=5,
        worker=WorkerConfig(max_deaths=2),
    )
    state = DispatchState(job=SearchJob("j", spec, ENGINES), workers=(), waiting=deque())
    state.deaths.update({task.key: deaths for task in tasks})
    chunk = InflightChunk(worker=0, stream=None, tasks={task.key: task for task in tasks})
    state.chunks.append(chunk)
    return state, chunk


def test_trees_of_a_problem_are_tasks_one_after_the_other() -> None:
    tasks = tree_tasks(PROBLEMS, 3, finished={("a", 1), ("b", 0), ("b", 2), ("c", 0)})
    assert [task.key for task in tasks] == [("a", 0), ("a", 2), ("b", 1)]
    assert [task.key for task in tree_tasks(PROBLEMS, 1)] == [("a", 0), ("b", 0)]


def test_stored_tree_does_not_stand_for_its_siblings(tmp_path: Path) -> None:
    """A worker died with three trees of one problem in hand, and had stored one of them."""
    with TreeWriter(worker_file(tmp_path, 0)) as writer:
        writer.append(Tree(PROBLEMS[0], number=1, seed=tree_seed(5, "a", 1)))
    state, chunk = make_state(tmp_path, tree_tasks(PROBLEMS[:1], 3))
    summaries = list(_requeue(state, chunk, RuntimeError("gone")))
    assert [summary.key for summary in summaries] == [("a", 1)]
    assert [task.key for task in state.solo] == [("a", 0), ("a", 2)]
    assert state.deaths == {("a", 0): 1, ("a", 1): 0, ("a", 2): 1}


def test_quarantine_names_the_tree_that_kills_its_workers(tmp_path: Path) -> None:
    state, chunk = make_state(tmp_path, (TreeTask(PROBLEMS[0], 2),), deaths=1)
    (summary,) = _requeue(state, chunk, RuntimeError("gone"))
    assert (summary.key, summary.seed) == (("a", 2), tree_seed(5, "a", 2))
    assert summary.quarantine_reason == "its worker died 2 times; last: gone"


def test_stalled_search_names_the_trees_under_way(tmp_path: Path) -> None:
    state, _ = make_state(tmp_path, tree_tasks(PROBLEMS, 2))
    assert _stall_message(state, 3.0).endswith("under way in search-0: a, a, tree 1, b")


async def test_worker_grows_each_tree_with_a_seed_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, strategy = make_job(tmp_path, monkeypatch)
    job = replace(job, spec=replace(job.spec, search=search_config(trees=3)))
    worker = SearchWorker(0)
    reports = [report async for report in worker.run(job, tree_tasks(PROBLEMS, 3))]
    await worker.release()
    summaries = {summary.key: summary for report in reports for summary in report.summaries}
    trees = {tree.key: tree for tree in read_trees(tmp_path)}
    assert set(summaries) == set(trees) == {(name, number) for name in ("a", "b") for number in range(3)}
    assert {key: tree.seed for key, tree in trees.items()} == {key: tree_seed(17, *key) for key in trees}
    assert len({seed for _, _, seed in strategy.calls}) == 6
    assert all(summarise(tree) == summaries[key] for key, tree in trees.items())


async def test_trees_of_one_problem_are_watched_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two trees of one problem grow at once, and one that ends leaves the other in the worker's sight."""
    job, strategy = make_job(tmp_path, monkeypatch)
    worker = SearchWorker(0)
    seen: list[set[tuple[str, int]]] = []
    grow = strategy.search

    async def watched(problem: Problem, services: object, seed: int) -> Tree:
        services.on_start(Tree(problem, seed=seed))  # type: ignore[attr-defined]
        tree = await grow(problem, services, seed)  # type: ignore[arg-type]
        seen.append(set(worker._state.growing))  # type: ignore[union-attr]
        return tree

    monkeypatch.setattr(strategy, "search", watched)
    async for _ in worker.run(job, tree_tasks(PROBLEMS[:1], 2)):
        pass
    await worker.release()
    assert seen[0] == {("a", 0), ("a", 1)}
    assert len(seen[1]) == 1
