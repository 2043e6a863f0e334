"""What is said of a search under way: sums, rates and shares worked out by hand, and where they go."""

from __future__ import annotations

import pickle
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

import pytest

from actors.config import EngineConfig
from actors.sandbox.config import ExecutorConfig
from actors.stats import WorkerStats
from actors.workers.messages import Engines, TreeSummary
from cluster.run.progress import Task
from cluster.searches import prometheus
from cluster.searches.monitor import Watch
from cluster.searches.prometheus import COUNTERS, GAUGES, SearchMetrics
from cluster.searches.stats import WINDOW_S, Vitals
from search.data import Cost

POLICY, REWARD_MODEL = 100, 10  # places


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vitals(clock: Clock) -> Vitals:
    return Vitals(POLICY, REWARD_MODEL, clock)


def after(clock: Clock, seconds: float) -> None:
    clock.time += seconds


def test_pulses_add_up_field_by_field_and_travel() -> None:
    one = WorkerStats(*range(1, len(fields(WorkerStats)) + 1))
    assert one + one == WorkerStats(*range(2, 2 * len(fields(WorkerStats)) + 1, 2))
    assert pickle.loads(pickle.dumps(one)) == one


def test_rates_are_means_over_the_window(vitals: Vitals, clock: Clock) -> None:
    for _ in range(int(2 * WINDOW_S)):
        after(clock, 1)
        tokens = 100 if clock.time <= 110 else 300  # a second
        old = vitals.now
        vitals.hear(0, old + WorkerStats(generated_tokens=tokens, expansions=1))
    assert vitals.rate(lambda pulse: pulse.generated_tokens) == 300
    assert vitals.rate(lambda pulse: pulse.expansions) == 1
    assert vitals.whole_line() == "200 tok/s, engines 0 %"


def test_workers_are_added_up(vitals: Vitals, clock: Clock) -> None:
    after(clock, 2)
    vitals.hear(0, WorkerStats(growing=3, generated_tokens=500, prompt_tokens=80, cached_tokens=20, policy_busy=40))
    vitals.hear(1, WorkerStats(growing=4, generated_tokens=300, prompt_tokens=20, cached_tokens=30, policy_busy=35))
    assert vitals.now.growing == 7
    assert vitals.occupancy == 0.75  # of 100 places
    assert vitals.cached == 0.5
    assert vitals.line() == "400 tok/s, engines 75 %, cached 50 %"


def test_what_has_no_place_waits(vitals: Vitals) -> None:
    vitals.hear(0, WorkerStats(policy_busy=120, policy_waiting=7, reward_model_busy=4, reward_model_waiting=2))
    assert (vitals.occupancy, vitals.policy_queue) == (1.0, 27)
    assert (vitals.reward_model_occupancy, vitals.reward_model_queue) == (0.4, 2)


def test_occupancy_is_a_mean_over_time(vitals: Vitals, clock: Clock) -> None:
    vitals.hear(0, WorkerStats(policy_busy=100))
    after(clock, 3)
    vitals.hear(0, WorkerStats(policy_busy=20))
    after(clock, 1)
    vitals.hear(0, WorkerStats())
    assert vitals.mean_occupancy == pytest.approx((3 * (1.0 + 0.2) / 2 + 1 * (0.2 + 0.0) / 2) / 4)


def test_a_worker_that_died_begins_anew_and_what_it_did_counts(vitals: Vitals, clock: Clock) -> None:
    vitals.hear(0, WorkerStats(growing=5, expansions=30, generated_tokens=900, prompt_tokens=100, cached_tokens=100))
    after(clock, 1)
    vitals.hear(0, WorkerStats(growing=2, expansions=1, generated_tokens=10, prompt_tokens=100))
    assert vitals.done.generated_tokens == 910
    assert vitals.now.growing == 2
    assert vitals.cached == 0.5


def test_a_worker_that_died_has_nothing_under_way(vitals: Vitals, clock: Clock) -> None:
    vitals.hear(0, WorkerStats(growing=5, expansions=30, generated_tokens=900, policy_busy=7))
    after(clock, 1)
    for _ in range(2):  # told for each chunk of problems that it had
        vitals.hear(0, WorkerStats())
    assert vitals.now == WorkerStats()
    assert vitals.done.generated_tokens == 900


class Recorded:
    """Stands for a counter or a gauge of Ray's."""

    known: ClassVar[dict[str, Recorded]] = {}

    def __init__(self, name: str, description: str, tag_keys: tuple[str, ...]) -> None:
        self.value: float | None = None
        self.known[name] = self
        assert description

    def set_default_tags(self, tags: dict[str, str]) -> None:
        assert tags == {"run": "arithmetic", "stage": "round 1"}

    def inc(self, amount: float) -> None:
        assert amount > 0  # Ray's own rule
        self.value = (self.value or 0) + amount

    def set(self, value: float) -> None:
        self.value = value


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(Recorded, "known", {})
    monkeypatch.setattr(prometheus, "Counter", Recorded)
    monkeypatch.setattr(prometheus, "Gauge", Recorded)
    return Recorded.known


def test_metrics_count_finished_trees_and_show_what_is_under_way(
    told: dict[str, Any], vitals: Vitals, clock: Clock
) -> None:
    shown = SearchMetrics("arithmetic", "round 1", waiting=3)
    cost = Cost(generated_tokens=50, scored_tokens=9, requests=4, executions=6)
    shown.finished(TreeSummary("p1", 1, solved=True, nodes=5, rollouts=2, cost=cost, failures={"timeout": 1}))
    shown.finished(TreeSummary("p2", 2, quarantined="broken"))
    after(clock, 2)
    vitals.hear(
        0, WorkerStats(growing=1, expansions=8, generated_tokens=40, prompt_tokens=10, cached_tokens=9, policy_busy=25)
    )
    shown.show(vitals)
    assert {name.removeprefix("raystar_"): one.value for name, one in told.items() if one.value is not None} == {
        "open_problems": 1,
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
    shown.rest()
    assert (told["raystar_trees_growing"].value, told["raystar_policy_cached"].value) == (0, 0.9)


def test_every_metric_is_in_the_docs() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert [name for name in (*COUNTERS, *GAUGES, "open_problems") if f"`ray_raystar_{name}`" not in text] == []


def test_a_search_is_watched_from_its_reports(told: dict[str, Any], vitals: Vitals, clock: Clock) -> None:
    task, shown = Task("round 1: search", 2), SearchMetrics("arithmetic", "round 1", waiting=2)
    watch = Watch(task, shown, vitals, blind=False)
    watch.finished(TreeSummary("p1", 1, solved=True, nodes=3))
    watch.finished(TreeSummary("p2", 2, quarantined="broken"))
    after(clock, 2)
    watch.hear(0, WorkerStats(generated_tokens=40, policy_busy=50))
    assert (task.done, task.note) == (2, "1 solved, 20 tok/s, engines 50 %")
    after(clock, 2)
    watch.hear(0, WorkerStats(generated_tokens=40))
    watch.over()
    assert task.note == "1 solved, 10 tok/s, engines 25 %"
    assert watch.quarantined == {"p2": "broken"}


def test_a_second_policy_has_places_of_its_own() -> None:
    config = EngineConfig(max_num_seqs=8)
    engines = Engines(("a", "b"), config, (), ExecutorConfig(), ("s",), config, second=("c",))
    assert engines.places == (24, 8)
