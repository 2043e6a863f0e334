"""The search worker with scripted strategies, in this process: no Ray, no engine."""

from __future__ import annotations

import asyncio
import pickle
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from actors.config import EngineConfig, WorkerConfig
from actors.sandbox.config import ExecutorConfig
from actors.stats import WorkerStats
from actors.workers.messages import (
    Engines,
    PolicyEngines,
    SearchJob,
    SearchSpec,
    TreeSummary,
    TreeTask,
    WorkerReport,
    summarise,
)
from actors.workers.search_worker import SearchWorker
from search.core.values import back_up
from search.data import Candidate, Cost, Finish, ModelRef, Problem, Step, StepStatus
from search.formats.code_format import CodeFormat
from search.protocols import SearchServices
from search.seeds import derive
from search.storage.directory_mark import ForeignDirectory, check_mark, write_mark
from search.storage.object_store import open_store
from search.storage.trace_folder import FOLDER, span_files
from search.storage.tree_store import read_trees
from search.strategies.registry import search_config
from search.tokens import TokenEncoder, vocabulary_digest
from search.tree import ROOT, Tree
from tests.fakes.buckets import use_buckets
from tests.fakes.token_families import FAMILIES

PROBLEMS = tuple(Problem(id=f"p{number}", question="?", answer=str(number), source="test") for number in range(12))
TASKS = tuple(map(TreeTask, PROBLEMS))
ENGINES = Engines(
    policy=(object(),), policy_config=EngineConfig(), executors=(object(),), executor_config=ExecutorConfig()
)


class Scripted:
    """Answers every problem with 3, fails ``failing[problem.id]`` times first, and records its arguments."""

    def __init__(self, failing: dict[str, int]) -> None:
        self.failing = dict(failing)
        self.running = self.max_running = 0
        self.calls: list[tuple[Problem, SearchServices, int]] = []

    async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
        self.calls.append((problem, services, seed))
        self.running += 1
        self.max_running = max(self.max_running, self.running)
        await asyncio.sleep(0.001)
        self.running -= 1
        if self.failing.get(problem.id, 0) > 0:
            self.failing[problem.id] -= 1
            raise RuntimeError("the strategy broke")
        tree = Tree(problem, strategy="scripted", seed=seed, answer="3", cost=Cost(generated_tokens=5))
        leaf = tree.add(ROOT, Step("3", status=StepStatus.FINAL, answer="3"))
        back_up(tree, leaf, 1.0)
        if services.grader is not None:
            tree.nodes[leaf].correct = services.grader.grade(problem, "3")
        return tree


def make_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blind: bool = False, **failing: int
) -> tuple[SearchJob, Scripted]:
    strategy = Scripted(failing)
    monkeypatch.setattr("actors.workers.search_worker.build", lambda config: strategy)
    config = WorkerConfig(trees_in_flight=3, max_attempts=2)
    spec = SearchSpec(
        search=search_config(),
        format=CodeFormat(),
        directory=tmp_path,
        seed=17,
        blind=blind,
        models={"policy": "r0"},
        worker=config,
    )
    return SearchJob("first", spec, ENGINES), strategy


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


async def run_worker(job: SearchJob) -> dict[str, TreeSummary]:
    worker = SearchWorker(0)
    by_problem = {
        summary.problem_id: summary async for report in worker.run(job, TASKS) for summary in report.summaries
    }
    await worker.release()
    return by_problem


async def test_every_problem_gets_a_summary_and_a_stored_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, strategy = make_job(tmp_path, monkeypatch)
    by_problem = await run_worker(job)
    assert {name for name, summary in by_problem.items() if summary.correct and summary.solved} == {"p3"}
    cost = Cost(generated_tokens=5)
    assert by_problem["p3"] == TreeSummary(
        problem_id="p3",
        seed=derive(17, "p3"),
        answer="3",
        solved=True,
        correct=True,
        nodes=2,
        rollouts=1,
        cost=cost,
    )
    trees = {tree.problem.id: tree for tree in read_trees(tmp_path)}
    assert set(trees) == set(by_problem) == {problem.id for problem in PROBLEMS}
    assert trees["p3"].models == {"policy": "r0"}
    assert summarise(trees["p3"]) == by_problem["p3"]
    assert strategy.max_running == 3


async def test_problem_is_retried_with_its_seed_when_it_fails_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, strategy = make_job(tmp_path, monkeypatch, p5=1)
    by_problem = await run_worker(job)
    assert by_problem["p5"].quarantine_reason == ""
    assert [seed for problem, _, seed in strategy.calls if problem.id == "p5"] == [derive(17, "p5")] * 2


async def test_problem_that_always_fails_is_quarantined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, _ = make_job(tmp_path, monkeypatch, p5=9)
    by_problem = await run_worker(job)
    assert by_problem["p5"].quarantine_reason == "RuntimeError: the strategy broke (try 2)"
    assert len(by_problem) == len(PROBLEMS)
    assert "p5" not in {tree.problem.id for tree in read_trees(tmp_path)}


async def test_blind_search_sees_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, strategy = make_job(tmp_path, monkeypatch, blind=True)
    by_problem = await run_worker(job)
    assert {problem.answer for problem, _, _ in strategy.calls} == {""}
    assert {services.grader for _, services, _ in strategy.calls} == {None}
    assert [name for name, summary in by_problem.items() if summary.correct] == ["p3"]
    assert {tree.problem.id: tree.problem.answer for tree in read_trees(tmp_path)}["p3"] == "3"


async def test_heartbeats_are_sent_while_no_tree_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, strategy = make_job(tmp_path, monkeypatch)
    monkeypatch.setattr("actors.workers.search_worker.HEARTBEAT_S", 0.01)
    can_finish = asyncio.Event()

    async def slow(problem: Problem, services: SearchServices, seed: int) -> Tree:
        await can_finish.wait()
        return Tree(problem, strategy="scripted", seed=seed)

    monkeypatch.setattr(strategy, "search", slow)
    worker, reports = SearchWorker(0), []
    async for report in worker.run(job, TASKS):
        reports.append(report)
        if len(reports) == 3:
            can_finish.set()
    await worker.release()
    assert [report.summaries for report in reports[:3]] == [[], [], []]
    assert [report.stats.active_trees for report in reports[:3]] == [3, 3, 3]  # as many as grow at once
    assert sorted(summary.problem_id for report in reports for summary in report.summaries) == sorted(
        p.id for p in PROBLEMS
    )


async def test_new_job_replaces_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = make_job(tmp_path / "first", monkeypatch)
    second = SearchJob("second", replace(first.spec, directory=tmp_path / "second", seed=18), ENGINES)
    worker = SearchWorker(0)
    seeds = [
        [summary.seed async for report in worker.run(job, TASKS[:1]) for summary in report.summaries]
        for job in (first, first, second)
    ]
    await worker.release()
    assert seeds == [[derive(17, "p0")], [derive(17, "p0")], [derive(18, "p0")]]
    assert [len(list(read_trees(job.spec.directory))) for job in (first, second)] == [1, 1]


def test_messages_survive_pickling(tmp_path: Path) -> None:
    spec = SearchSpec(search=search_config(), format=CodeFormat(), directory=tmp_path, seed=17)
    summary = TreeSummary(
        problem_id="p",
        seed=1,
        answer="3",
        solved=True,
        correct=True,
        nodes=4,
        rollouts=2,
        cost=Cost(generated_tokens=1, prompt_tokens=2, cached_tokens=3),
        failures={"code_error": 2},
    )
    report = WorkerReport([summary], WorkerStats(active_trees=2))
    assert pickle.loads(pickle.dumps(report)) == report
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert pickle.loads(pickle.dumps(summary)) == summary


@pytest.mark.parametrize("roles", [(), ("second_policy",), ("policy_2", "policy_3"), ("second_policy", "policy_2")])
async def test_further_policies_have_pools_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, roles: tuple[str, ...]
) -> None:
    job, strategy = make_job(tmp_path, monkeypatch)
    further = {role: PolicyEngines(handles=(object(),), config=EngineConfig()) for role in roles}
    await run_worker(replace(job, engines=replace(job.engines, further=further)))
    services = strategy.calls[0][1]
    assert (services.second_policy is not None) == ("second_policy" in roles)
    drawing = [*services.drawing_policies.values()]
    pools = [pool for pool in (services.second_policy, *drawing) if pool is not None]
    assert len({id(pool) for pool in pools}) == 1 + len(roles)
    assert [pool.role for pool in drawing] == ["policy", *(role for role in roles if role != "second_policy")]  # type: ignore[attr-defined]


async def test_stored_steps_keep_the_ids_of_the_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = FAMILIES[0].save(tmp_path / "policy")
    tokenizer = AutoTokenizer.from_pretrained(policy)
    spelt = tokenizer.convert_tokens_to_ids(["a", "n", "s"])
    vocabulary = vocabulary_digest(policy)

    class Drawing(Scripted):
        async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
            tree = Tree(problem)
            candidate = Candidate("ans", (*spelt, tokenizer.eos_token_id), Finish.END, vocabulary)
            tree.add(ROOT, *services.keep_ids((Step("ans"),), candidate))
            return tree

    job, _ = make_job(tmp_path / "trees", monkeypatch)
    monkeypatch.setattr("actors.workers.search_worker.build", lambda config: Drawing({}))
    engines = replace(ENGINES, policy_ref=ModelRef("policy", str(policy)))
    await run_worker(SearchJob("first", job.spec, engines))
    state = next(read_trees(tmp_path / "trees")).state(1)
    pieces = [segment.piece for segment in CodeFormat().segments(state)]
    assert TokenEncoder.of(tokenizer, vocabulary=vocabulary).ids(pieces)[-3:] == spelt
    assert TokenEncoder.of(tokenizer).ids(pieces)[-3:] != spelt


@pytest.mark.parametrize(("share", "traced"), [(0.0, 0), (1.0, len(PROBLEMS))])
async def test_spans_of_the_wanted_share_of_trees_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float, traced: int
) -> None:
    job, _ = make_job(tmp_path, monkeypatch)
    spec = replace(job.spec, worker=job.spec.worker.model_copy(update={"trace": share}))
    await run_worker(SearchJob("first", spec, job.engines))
    assert (tmp_path / FOLDER).exists() == bool(traced)
    assert sum(path.read_text().count('"name":"tree"') for path in span_files(tmp_path)) == traced
    assert len(list(read_trees(tmp_path))) == len(PROBLEMS)


async def test_worker_refuses_a_directory_without_the_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a node where the run directory is on a disk of its own."""
    monkeypatch.setattr("actors.workers.search_worker.check_mark", partial(check_mark, visible_s=0))
    job, strategy = make_job(tmp_path / "search.partial", monkeypatch)
    job = replace(job, spec=replace(job.spec, mark="of the driver"))
    with pytest.raises(
        ForeignDirectory, match=r"search-0 on .* refuses to write into .*search.partial: it is not there"
    ):
        await run_worker(job)
    assert strategy.calls == [] and files(tmp_path) == []
    (tmp_path / "search.partial").mkdir()
    write_mark(tmp_path / "search.partial", "of the driver")
    assert len(await run_worker(job)) == len(PROBLEMS)


async def test_chunks_that_arrive_at_once_share_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, _ = make_job(tmp_path, monkeypatch)
    write_mark(tmp_path, "of the driver")
    job = replace(job, spec=replace(job.spec, mark="of the driver"))
    worker = SearchWorker(0)

    async def run(tasks: tuple[TreeTask, ...]) -> int:
        return sum([len(report.summaries) async for report in worker.run(job, tasks)])

    assert await asyncio.gather(run(TASKS[:5]), run(TASKS[5:])) == [5, 7]
    await worker.release()
    assert len(list(read_trees(tmp_path))) == len(TASKS)


async def test_worker_uploads_its_trees_to_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_buckets(monkeypatch, tmp_path)
    store = open_store("s3://bucket/x")
    job, _ = make_job(store.mirror / "search.partial", monkeypatch)
    await run_worker(replace(job, spec=replace(job.spec, store=store)))
    assert files(store.mirror) == []  # nothing stays on the worker's machine
    store.pull(store.mirror)
    assert len(list(read_trees(store.mirror / "search.partial"))) == len(PROBLEMS)
