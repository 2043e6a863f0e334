"""The search worker with scripted strategies, in this process: no Ray, no engine."""

from __future__ import annotations

import asyncio
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from actors.config import EngineConfig, WorkerConfig
from actors.sandbox.config import ExecutorConfig
from actors.stats import WorkerStats
from actors.workers.messages import Engines, SearchJob, SearchSpec, TreeSummary, WorkerReport, summarise
from actors.workers.search_worker import SearchWorker
from search.config import SearchConfig
from search.core.values import back_up
from search.data import Cost, Problem, Step, StepStatus
from search.formats.registry import CodeFormat
from search.protocols import SearchServices
from search.seeds import derive
from search.storage.tree_store import read_trees
from search.tree import ROOT, Tree

PROBLEMS = tuple(Problem(f"p{number}", "?", str(number), "test") for number in range(12))
ENGINES = Engines((object(),), EngineConfig(), (object(),), ExecutorConfig())


class Scripted:
    """Answers every problem with 3, fails as often as it is told for some, and notes what it saw."""

    def __init__(self, failing: dict[str, int]) -> None:
        self.failing = dict(failing)
        self.running = self.most = 0
        self.seen: list[tuple[Problem, SearchServices, int]] = []

    async def search(self, problem: Problem, tools: SearchServices, seed: int) -> Tree:
        self.seen.append((problem, tools, seed))
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.001)
        self.running -= 1
        if self.failing.get(problem.id, 0) > 0:
            self.failing[problem.id] -= 1
            raise RuntimeError("the strategy broke")
        tree = Tree(problem, "scripted", seed, answer="3", cost=Cost(generated_tokens=5))
        leaf = tree.add(ROOT, Step("3", status=StepStatus.FINAL, answer="3"))
        back_up(tree, leaf, 1.0)
        if tools.grader is not None:
            tree.nodes[leaf].correct = tools.grader.grade(problem, "3")
        return tree


def make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blind: bool = False, **failing: int
) -> tuple[SearchJob, Scripted]:
    strategy = Scripted(failing)
    monkeypatch.setattr("actors.workers.search_worker.build", lambda config: strategy)
    config = WorkerConfig(trees_in_flight=3, attempts=2)
    assignment = SearchSpec(SearchConfig(), CodeFormat(), tmp_path, 17, blind, {"policy": "r0"}, config)
    return SearchJob("first", assignment, ENGINES), strategy


async def summaries(job: SearchJob) -> dict[str, TreeSummary]:
    worker = SearchWorker(0)
    found = {summary.problem_id: summary async for report in worker.run(job, PROBLEMS) for summary in report.summaries}
    await worker.release()
    return found


async def test_every_problem_has_a_summary_and_a_stored_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, strategy = make(tmp_path, monkeypatch)
    found = await summaries(job)
    assert {name for name, summary in found.items() if summary.correct and summary.solved} == {"p3"}
    cost = Cost(generated_tokens=5)
    assert found["p3"] == TreeSummary("p3", derive(17, "p3"), "3", True, True, nodes=2, rollouts=1, cost=cost)
    trees = {tree.problem.id: tree for tree in read_trees(tmp_path)}
    assert set(trees) == set(found) == {problem.id for problem in PROBLEMS}
    assert trees["p3"].models == {"policy": "r0"}
    assert summarise(trees["p3"]) == found["p3"]
    assert strategy.most == 3


async def test_a_problem_that_fails_once_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, strategy = make(tmp_path, monkeypatch, p5=1)
    found = await summaries(job)
    assert found["p5"].quarantined == ""
    assert [seed for problem, _, seed in strategy.seen if problem.id == "p5"] == [derive(17, "p5")] * 2


async def test_a_problem_that_always_fails_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, _ = make(tmp_path, monkeypatch, p5=9)
    found = await summaries(job)
    assert found["p5"].quarantined == "RuntimeError: the strategy broke (try 2)"
    assert len(found) == len(PROBLEMS)
    assert "p5" not in {tree.problem.id for tree in read_trees(tmp_path)}


async def test_a_blind_search_sees_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, strategy = make(tmp_path, monkeypatch, blind=True)
    found = await summaries(job)
    assert {problem.answer for problem, _, _ in strategy.seen} == {""}
    assert {tools.grader for _, tools, _ in strategy.seen} == {None}
    assert [name for name, summary in found.items() if summary.correct] == ["p3"]
    assert {tree.problem.id: tree.problem.answer for tree in read_trees(tmp_path)}["p3"] == "3"


async def test_a_worker_is_heard_of_while_no_tree_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, strategy = make(tmp_path, monkeypatch)
    monkeypatch.setattr("actors.workers.search_worker.PULSE_S", 0.01)
    gate = asyncio.Event()

    async def slow(problem: Problem, tools: SearchServices, seed: int) -> Tree:
        await gate.wait()
        return Tree(problem, "scripted", seed)

    monkeypatch.setattr(strategy, "search", slow)
    worker, reports = SearchWorker(0), []
    async for report in worker.run(job, PROBLEMS):
        reports.append(report)
        if len(reports) == 3:
            gate.set()
    await worker.release()
    assert [report.summaries for report in reports[:3]] == [[], [], []]
    assert [report.pulse.growing for report in reports[:3]] == [3, 3, 3]  # as many as grow at once
    assert sorted(one.problem_id for report in reports for one in report.summaries) == sorted(p.id for p in PROBLEMS)


async def test_a_worker_starts_afresh_on_another_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = make(tmp_path / "first", monkeypatch)
    second = SearchJob("second", replace(first.assignment, directory=tmp_path / "second", seed=18), ENGINES)
    worker = SearchWorker(0)
    seeds = [
        [summary.seed async for report in worker.run(job, PROBLEMS[:1]) for summary in report.summaries]
        for job in (first, first, second)
    ]
    await worker.release()
    assert seeds == [[derive(17, "p0")], [derive(17, "p0")], [derive(18, "p0")]]
    assert [len(list(read_trees(job.assignment.directory))) for job in (first, second)] == [1, 1]


def test_what_crosses_to_a_worker_and_back_pickles(tmp_path: Path) -> None:
    assignment = SearchSpec(SearchConfig(), CodeFormat(), tmp_path, 17)
    summary = TreeSummary("p", 1, "3", True, True, 4, 2, Cost(1, 2, 3), {"code_error": 2}, "")
    report = WorkerReport([summary], WorkerStats(growing=2))
    assert pickle.loads(pickle.dumps(report)) == report
    assert pickle.loads(pickle.dumps(assignment)) == assignment
    assert pickle.loads(pickle.dumps(summary)) == summary


@pytest.mark.parametrize("second", [(), (object(),)])
async def test_a_second_policy_is_a_tool_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: tuple[object, ...]
) -> None:
    job, strategy = make(tmp_path, monkeypatch)
    await summaries(replace(job, engines=replace(job.engines, second=second)))
    given = strategy.seen[0][1]
    assert (given.second is not None) == bool(second)
    assert given.second is not given.policy
