"""Counters and gauges of a search in Ray's metrics (Prometheus names ``ray_raystar_*``). Knows names and units only.

Counters grow when a tree is finished; gauges say about once a second what is under way (``Vitals``). docs/metrics.md
lists them.
"""

from __future__ import annotations

from collections.abc import Callable

from ray.util.metrics import Counter, Gauge

from actors.workers.messages import TreeSummary
from cluster.searches.stats import Vitals

TAGS = ("run", "stage")

COUNTERS: dict[str, tuple[str, Callable[[TreeSummary], int]]] = {
    "trees": ("finished trees", lambda one: int(not one.quarantined)),
    "trees_solved": ("finished trees with a right answer", lambda one: int(one.solved)),
    "quarantined": ("problems given up", lambda one: int(bool(one.quarantined))),
    "nodes": ("steps in finished trees", lambda one: one.nodes - 1),  # the root is no step
    "rollouts": ("rollouts of finished trees", lambda one: one.rollouts),
    "requests": ("requests to policy and reward model", lambda one: one.cost.requests),
    "generated_tokens": ("tokens written by the policy", lambda one: one.cost.generated_tokens),
    "scored_tokens": ("tokens read by the reward model", lambda one: one.cost.scored_tokens),
    "executions": ("programs run", lambda one: one.cost.executions),
    "failures": ("failures counted in trees", lambda one: sum(one.failures.values())),
}
GAUGES: dict[str, tuple[str, Callable[[Vitals], float | None]]] = {
    "trees_growing": ("trees under way", lambda vitals: vitals.now.growing),
    "generated_tokens_per_s": ("by the policy", lambda vitals: vitals.rate(lambda pulse: pulse.generated_tokens)),
    "expansions_per_s": ("answers of the policy", lambda vitals: vitals.rate(lambda pulse: pulse.expansions)),
    "scored_states_per_s": ("by the reward model", lambda vitals: vitals.rate(lambda pulse: pulse.scored)),
    "executions_per_s": ("programs run", lambda vitals: vitals.rate(lambda pulse: pulse.executions)),
    "policy_occupancy": ("share of the places at policy engines", lambda vitals: vitals.occupancy),
    "reward_model_occupancy": ("share of the places at reward models", lambda vitals: vitals.reward_model_occupancy),
    "policy_queue": ("sequences that wait for a policy engine", lambda vitals: vitals.policy_queue),
    "reward_model_queue": ("states that wait for a reward model", lambda vitals: vitals.reward_model_queue),
    "programs": ("programs at executors", lambda vitals: vitals.now.programs),
    "policy_cached": ("share of prompt tokens in the policy's prefix cache", lambda vitals: vitals.cached),
    "reward_model_cached": (
        "share of prompt tokens in the reward model's prefix cache",
        lambda vitals: vitals.reward_model_cached,
    ),
}
LASTING = ("policy_cached", "reward_model_cached")  # gauges of the search as a whole, true when it is over


class SearchMetrics:
    """What a search has done so far, and how it does, tagged with run and stage. The driver has one a search."""

    def __init__(self, run: str, stage: str, waiting: int) -> None:
        tags = {"run": run, "stage": stage}
        self._counters = {name: Counter(f"raystar_{name}", told, tag_keys=TAGS) for name, (told, _) in COUNTERS.items()}
        self._gauges = {name: Gauge(f"raystar_{name}", told, tag_keys=TAGS) for name, (told, _) in GAUGES.items()}
        self._without = Gauge("raystar_open_problems", "problems that have no tree yet", tag_keys=TAGS)
        for metric in (*self._counters.values(), *self._gauges.values(), self._without):
            metric.set_default_tags(tags)
        self._open = waiting
        self._without.set(waiting)

    def finished(self, summary: TreeSummary) -> None:
        """Count a problem that is done, with a tree or without one."""
        self._open -= 1
        self._without.set(self._open)
        for name, (_, of) in COUNTERS.items():
            if (amount := of(summary)) > 0:  # a Ray counter refuses to grow by nothing
                self._counters[name].inc(amount)

    def show(self, vitals: Vitals) -> None:
        """Set the gauges; what nothing is known of yet keeps its value."""
        for name, (_, of) in GAUGES.items():
            value = of(vitals)
            if value is not None:
                self._gauges[name].set(value)

    def rest(self) -> None:
        """The search is over: nothing is under way any more."""
        for name, gauge in self._gauges.items():
            if name not in LASTING:
                gauge.set(0)
