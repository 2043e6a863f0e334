"""Statistics of a running search, worked out by hand: sums, rates and shares, and the metrics and lines that show them."""

from __future__ import annotations

import io
import pickle
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from actors.config import EngineConfig
from actors.sandbox.config import ExecutorConfig
from actors.stats import WorkerStats
from actors.workers.messages import Engines, PolicyEngines, TreeSummary
from cluster.run.progress import Progress
from cluster.searches import prometheus
from cluster.searches.estimate import TimeEstimate
from cluster.searches.monitor import SearchMonitor
from cluster.searches.prometheus import COUNTERS, GAUGES, SearchMetrics
from cluster.searches.stats import WINDOW_S, SearchStats
from search.data import Cost

POLICY_CAPACITY, REWARD_MODEL_CAPACITY = 100, 10


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def search_stats(clock: Clock) -> SearchStats:
    return SearchStats(POLICY_CAPACITY, REWARD_MODEL_CAPACITY, clock)


def advance(clock: Clock, seconds: float) -> None:
    clock.time += seconds


def test_worker_stats_add_up_by_field_and_can_be_pickled() -> None:
    names = [field.name for field in fields(WorkerStats)]
    stats = WorkerStats(**dict(zip(names, range(1, len(names) + 1), strict=True)))
    doubled = WorkerStats(**dict(zip(names, range(2, 2 * len(names) + 1, 2), strict=True)))
    assert stats + stats == replace(doubled, longest_tokens_left=stats.longest_tokens_left)  # the largest of all
    assert pickle.loads(pickle.dumps(stats)) == stats


def test_rates_are_means_over_the_window(search_stats: SearchStats, clock: Clock) -> None:
    for _ in range(int(2 * WINDOW_S)):
        advance(clock, 1)
        tokens = 100 if clock.time <= 110 else 300  # a second
        search_stats.record(0, search_stats.now + WorkerStats(generated_tokens=tokens, expansions=1))
    assert search_stats.rate(lambda stats: stats.generated_tokens) == 300
    assert search_stats.rate(lambda stats: stats.expansions) == 1
    assert search_stats.total_line() == "200 tok/s, engines 0 %"


def test_stats_of_all_workers_are_added_up(search_stats: SearchStats, clock: Clock) -> None:
    advance(clock, 2)
    search_stats.record(
        0, WorkerStats(active_trees=3, generated_tokens=500, prompt_tokens=80, cached_tokens=20, policy_inflight=40)
    )
    search_stats.record(
        1, WorkerStats(active_trees=4, generated_tokens=300, prompt_tokens=20, cached_tokens=30, policy_inflight=35)
    )
    assert search_stats.now.active_trees == 7
    assert search_stats.occupancy == 0.75  # of a capacity of 100
    assert search_stats.policy_cached == 0.5
    assert search_stats.current_line() == "400 tok/s, engines 75 %, cached 50 %"


def test_monitor_counts_trees_and_the_problems_they_solve(
    metrics: dict[str, Any], search_stats: SearchStats, clock: Clock
) -> None:
    with (
        Progress(stream=io.StringIO()) as progress,
        SearchMonitor(
            progress,
            "round 1: search",
            4,
            0,
            metrics=SearchMetrics("arithmetic", "round 1", open_trees=4),
            stats=search_stats,
            estimate=TimeEstimate(4, None, clock),
            blind=False,
            trees=2,
        ) as monitor,
    ):
        for problem, number, solved in (("p1", 0, True), ("p1", 1, True), ("p2", 0, False)):
            monitor.on_summary(TreeSummary(problem_id=problem, number=number, seed=1, solved=solved))
        monitor.on_summary(TreeSummary(problem_id="p2", number=1, seed=1, quarantine_reason="broken"))
        monitor.finish()
        assert monitor.task.done == 4
        assert monitor.task.note.startswith("1 problems solved, ")
    assert monitor.quarantined == {("p2", 1): "broken"}


def test_sequences_over_the_capacity_are_queued(search_stats: SearchStats) -> None:
    search_stats.record(
        0, WorkerStats(policy_inflight=120, policy_waiting=7, reward_model_inflight=4, reward_model_waiting=2)
    )
    assert (search_stats.occupancy, search_stats.policy_queue) == (1.0, 27)
    assert (search_stats.reward_model_occupancy, search_stats.reward_model_queue) == (0.4, 2)


def test_mean_occupancy_is_weighted_by_time(search_stats: SearchStats, clock: Clock) -> None:
    search_stats.record(0, WorkerStats(policy_inflight=100))
    advance(clock, 3)
    search_stats.record(0, WorkerStats(policy_inflight=20))
    advance(clock, 1)
    search_stats.record(0, WorkerStats())
    assert search_stats.mean_occupancy == pytest.approx((3 * (1.0 + 0.2) / 2 + 1 * (0.2 + 0.0) / 2) / 4)


def test_counts_of_a_restarted_worker_are_kept(search_stats: SearchStats, clock: Clock) -> None:
    search_stats.record(
        0, WorkerStats(active_trees=5, expansions=30, generated_tokens=900, prompt_tokens=100, cached_tokens=100)
    )
    advance(clock, 1)
    search_stats.record(0, WorkerStats(active_trees=2, expansions=1, generated_tokens=10, prompt_tokens=100))
    assert search_stats.total.generated_tokens == 910
    assert search_stats.now.active_trees == 2
    assert search_stats.policy_cached == 0.5


def test_dead_worker_has_nothing_in_flight(search_stats: SearchStats, clock: Clock) -> None:
    search_stats.record(0, WorkerStats(active_trees=5, expansions=30, generated_tokens=900, policy_inflight=7))
    advance(clock, 1)
    for _ in range(2):  # the pool reports it for each chunk of problems that it had
        search_stats.record(0, WorkerStats())
    assert search_stats.now == WorkerStats()
    assert search_stats.total.generated_tokens == 900


class FakeMetric:
    """Stand-in for a counter or a gauge of Ray."""

    by_name: ClassVar[dict[str, FakeMetric]] = {}

    def __init__(self, name: str, description: str, tag_keys: tuple[str, ...]) -> None:
        self.value: float | None = None
        self.by_name[name] = self
        assert description

    def set_default_tags(self, tags: dict[str, str]) -> None:
        assert tags == {"run": "arithmetic", "stage": "round 1"}

    def inc(self, amount: float) -> None:
        assert amount > 0  # as Ray's counter does
        self.value = (self.value or 0) + amount

    def set(self, value: float) -> None:
        self.value = value


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(FakeMetric, "by_name", {})
    monkeypatch.setattr(prometheus, "Counter", FakeMetric)
    monkeypatch.setattr(prometheus, "Gauge", FakeMetric)
    return FakeMetric.by_name


def test_metrics_count_trees_and_show_what_is_in_flight(
    metrics: dict[str, Any], search_stats: SearchStats, clock: Clock
) -> None:
    search_metrics = SearchMetrics("arithmetic", "round 1", open_trees=3)
    cost = Cost(generated_tokens=50, scored_tokens=9, requests=4, executions=6)
    search_metrics.count(
        TreeSummary(problem_id="p1", seed=1, solved=True, nodes=5, rollouts=2, cost=cost, failures={"timeout": 1})
    )
    search_metrics.count(TreeSummary(problem_id="p2", seed=2, quarantine_reason="broken"))
    advance(clock, 2)
    search_stats.record(
        0,
        WorkerStats(
            active_trees=1, expansions=8, generated_tokens=40, prompt_tokens=10, cached_tokens=9, policy_inflight=25
        ),
    )
    search_metrics.set_gauges(search_stats)
    assert {
        name.removeprefix("raystar_"): metric.value for name, metric in metrics.items() if metric.value is not None
    } == {
        "open_trees": 1,
        "trees": 1,
        "trees_solved": 1,
        "quarantined": 1,
        "nodes": 4,
        "rollouts": 2,
        "requests": 4,
        "generated_tokens": 50,
        "scored_tokens": 9,
        "executions": 6,
        "failures": 1,
        "trees_growing": 1,
        "generated_tokens_per_s": 20,
        "expansions_per_s": 4,
        "scored_states_per_s": 0,
        "executions_per_s": 0,
        "policy_occupancy": 0.25,
        "reward_model_occupancy": 0,
        "policy_queue": 0,
        "reward_model_queue": 0,
        "programs": 0,
        "policy_cached": 0.9,
    }
    search_metrics.finish()
    assert (metrics["raystar_trees_growing"].value, metrics["raystar_policy_cached"].value) == (0, 0.9)


def test_every_metric_is_in_the_docs() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    names = [*(f"{name}_total" for name in COUNTERS), *GAUGES, "open_trees", "quarantined"]
    assert [name for name in names if f"`ray_raystar_{name}`" not in text] == []


def test_monitor_shows_the_reports_of_a_search(
    metrics: dict[str, Any], search_stats: SearchStats, clock: Clock
) -> None:
    stream = io.StringIO()
    with (
        Progress(stream=stream) as progress,
        SearchMonitor(
            progress,
            "round 1: search",
            4,
            2,
            metrics=SearchMetrics("arithmetic", "round 1", open_trees=2),
            stats=search_stats,
            estimate=TimeEstimate(2, None, clock),
            blind=False,
        ) as monitor,
    ):
        monitor.on_stats(0, WorkerStats(active_trees=2))
        assert monitor._task is None  # still warming up
        advance(clock, 2)
        monitor.on_stats(0, WorkerStats(active_trees=2, generated_tokens=40, policy_inflight=50))
        task = monitor.task
        assert (task.done, task.note) == (2, "0 solved, 20 tok/s, engines 50 %")
        assert "time left not known yet" in task.line()
        monitor.on_summary(TreeSummary(problem_id="p1", seed=1, solved=True, nodes=3, cost=Cost(generated_tokens=30)))
        assert (task.done, monitor.solved) == (3, {"p1"})
        advance(clock, 2)
        monitor.on_stats(0, WorkerStats(active_trees=1, generated_tokens=40))
        assert task.note == "1 solved, 10 tok/s, engines 0 %"
        assert "about 2 s left" in task.line()  # 30 tokens a tree: 20 of 60 are left, at 10 a second
        monitor.on_summary(TreeSummary(problem_id="p2", seed=2, quarantine_reason="broken"))
        monitor.finish()
    assert task.note == "1 solved, 10 tok/s, engines 25 %"
    assert monitor.quarantined == {("p2", 0): "broken"}
    assert stream.getvalue().startswith("round 1: search: 4/4, 100 %, 1 solved, ")


def test_further_policies_add_to_the_capacity() -> None:
    config = EngineConfig(max_num_seqs=8)
    engines = Engines(
        policy=("a", "b"),
        policy_config=config,
        executors=(),
        executor_config=ExecutorConfig(),
        reward_model=("s",),
        reward_model_config=config,
        further={
            "second_policy": PolicyEngines(handles=("c",), config=config),
            "policy_2": PolicyEngines(handles=("d", "e"), config=EngineConfig(max_num_seqs=3)),
        },
    )
    assert engines.capacity == (30, 8)
