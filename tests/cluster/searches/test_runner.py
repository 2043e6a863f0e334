"""SearchRunner: what failed in engines and executors reaches the facts of a search and the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

from actors.config import EngineConfig
from actors.sandbox.config import ExecutorConfig
from actors.workers.messages import Engines, SearchSpec, TreeSummary, summarise
from actors.workers.worker_pool import tree_tasks
from cluster.searches import runner as runner_module
from cluster.searches.runner import SearchPlan, SearchRunner, count_disturbances, describe_disturbances
from cluster.traces.record import read_waiting
from search.data import Problem
from search.errors import UserError
from search.seeds import tree_seed
from search.storage.directory_mark import read_mark
from search.storage.tree_store import TreeWriter, worker_file
from search.tree import TreeKey
from tests.cluster.evolution.scripted_rounds import BASE, TRAIN, running
from tests.cluster.reward_eval.stored_samples import sample_tree
from tests.cluster.traces.made_up_trace import execute, generate, write_search

ENGINES = Engines(policy=(), policy_config=EngineConfig(), executors=(), executor_config=ExecutorConfig())


class SilentMetrics:
    """SearchMetrics that sets nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def count(self, summary: TreeSummary) -> None:
        pass

    def finish(self) -> None:
        pass


class CountingPool:
    """A worker pool that has ``counts``, reports a tree for each task and stores those that its node's disk lets it.

    ``lost``: for each call of ``run``, the ids of problems whose trees are reported and not stored.
    """

    def __init__(self, counts: dict[str, int], lost: list[set[str]]) -> None:
        self.counts, self.lost = Counter(counts), lost
        self.grown: list[list[str]] = []
        self.workers = ()

    def run(
        self,
        spec: SearchSpec,
        engines: Engines,
        problems: Sequence[Problem],
        on_summary: Callable[[TreeSummary], None],
        on_stats: object,
        finished: Collection[TreeKey],
    ) -> None:
        lost = self.lost.pop(0) if self.lost else set()
        tasks = tree_tasks(problems, 1, finished)
        self.grown.append([task.problem.id for task in tasks])
        for task in tasks:
            tree = sample_tree(task.problem, 1, 0, 0)
            tree.seed = tree_seed(spec.seed, *task.key)
            on_summary(summarise(tree))
            if task.problem.id not in lost:
                with TreeWriter(worker_file(spec.directory, len(self.grown))) as writer:
                    writer.append(tree)


def run_search(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    counts: dict[str, int],
    restarts: list[int],
    pool: CountingPool | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Return the facts and the log lines of a search whose pools have these counts."""
    lines: list[str] = []
    monkeypatch.setattr(runner_module, "VISIBLE_S", 0.0)
    monkeypatch.setattr(runner_module, "SearchMetrics", SilentMetrics)
    monkeypatch.setattr(runner_module, "count_restarts", lambda _: restarts.pop(0))
    monkeypatch.setattr(SearchRunner, "engines", lambda *_: ENGINES)
    with running(tmp_path / "run") as context:
        monkeypatch.setattr(type(context.progress), "log", lambda _, line: lines.append(line))
        runner = SearchRunner(context)
        runner._worker_pool = pool or CountingPool(counts, [])  # type: ignore[assignment]
        plan = SearchPlan(
            config=context.config.search, policy=BASE, reward_model=None, problems=TRAIN, seed=("s",), label="r1"
        )
        return runner.run(plan, tmp_path / "trees").facts(), lines


def test_disturbances_are_facts_and_one_log_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"policy_requests": 9, "policy_retries": 2, "policy_engine_died": 1, "executor_gave_up": 0}
    facts, lines = run_search(tmp_path, monkeypatch, counts, [1, 3])
    assert facts["disturbances"] == {"executor_restarts": 2, "policy_engine_died": 1, "policy_retries": 2}
    assert lines.count("r1: executor restarts 2, policy engine died 1, policy retries 2") == 1


def test_verdicts_by_algebra_are_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {
        "policy_requests": 9,
        "algebra_compared": 7,
        "algebra_time": 1,
        "algebra_undecided": 2,
        "algebra_crash": 0,
    }
    facts, _ = run_search(tmp_path, monkeypatch, counts, [0, 0])
    assert facts["graded_by_algebra"] == 7
    assert facts["verdicts_cut"] == {"time": 1, "undecided": 2}
    assert facts["disturbances"] == {}


def test_search_without_disturbances_logs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts, lines = run_search(tmp_path, monkeypatch, {"policy_requests": 9, "policy_too_long": 1}, [4, 4])
    assert facts["disturbances"] == {}
    assert not [line for line in lines if "policy" in line or "executor" in line]


def test_restarts_are_left_out_when_an_executor_counts_anew() -> None:
    assert count_disturbances({"executor_retries": 1}, -2) == {"executor_retries": 1}
    assert describe_disturbances({"executor_retries": 1}) == "executor retries 1"


def test_trees_that_were_not_stored_are_grown_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = CountingPool({"policy_retries": 1}, [{TRAIN[1].id}])
    facts, lines = run_search(tmp_path, monkeypatch, {}, [0, 0], pool)
    assert pool.grown == [[problem.id for problem in TRAIN], [TRAIN[1].id]]
    assert facts["trees"] == len(TRAIN) and facts["disturbances"] == {"policy_retries": 2}
    (warning,) = [line for line in lines if line.startswith("warning")]
    assert f"1 of {len(TRAIN)} trees that workers reported are not in" in warning


def test_search_ends_when_trees_are_lost_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = {TRAIN[1].id}
    with pytest.raises(UserError, match="searched 2 times: the run directory must be on storage that all nodes reach"):
        run_search(tmp_path, monkeypatch, {}, [0, 0], CountingPool({}, [lost, lost]))


def test_search_marks_the_directory_of_its_trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_search(tmp_path, monkeypatch, {}, [0, 0])
    assert read_mark(tmp_path / "trees")


def test_waiting_of_a_recorded_search_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_search(tmp_path / "trees", {"p1": (0, 4, [generate(0, 3, 4), execute(3, 4)])})
    _, lines = run_search(tmp_path, monkeypatch, {}, [0, 0])
    assert "r1: policy engines in use 75 %, waited for programs 25 %" in lines
    waiting = read_waiting(tmp_path / "trees")
    assert waiting is not None and waiting.trees == 1
