"""Counters and gauges of a search in Ray's metrics (Prometheus names ``ray_raystar_*``). Knows names and units only."""

from __future__ import annotations

from ray.util.metrics import Counter, Gauge

from actors.worker import Summary

TAGS = ("run", "stage")


class SearchMetrics:
    """What a search has done so far, tagged with run and stage. The driver, which sees every summary, has one a search."""

    def __init__(self, run: str, stage: str, waiting: int) -> None:
        tags = {"run": run, "stage": stage}
        self.trees = _counter("raystar_trees", "finished trees", tags)
        self.solved = _counter("raystar_trees_solved", "finished trees with a right answer", tags)
        self.quarantined = _counter("raystar_quarantined", "problems given up", tags)
        self.nodes = _counter("raystar_nodes", "steps in finished trees", tags)
        self.requests = _counter("raystar_requests", "requests to the policy", tags)
        self.generated = _counter("raystar_generated_tokens", "tokens written by the policy", tags)
        self.scored = _counter("raystar_scored_tokens", "tokens read by the scorer", tags)
        self.executions = _counter("raystar_executions", "programs run", tags)
        self.failures = _counter("raystar_failures", "failures counted in trees", tags)
        self.open = Gauge("raystar_open_problems", "problems that have no tree yet", tag_keys=TAGS)
        self.open.set_default_tags(tags)
        self._open = waiting
        self.open.set(waiting)

    def finished(self, summary: Summary) -> None:
        """Count a problem that is done, with a tree or without one."""
        self._open -= 1
        self.open.set(self._open)
        for counter, amount in (
            (self.trees, int(not summary.quarantined)),
            (self.quarantined, int(bool(summary.quarantined))),
            (self.solved, int(summary.solved)),
            (self.nodes, summary.nodes - 1),  # the root is no step
            (self.requests, summary.cost.requests),
            (self.generated, summary.cost.generated_tokens),
            (self.scored, summary.cost.scored_tokens),
            (self.executions, summary.cost.executions),
            (self.failures, sum(summary.failures.values())),
        ):
            if amount > 0:  # a Ray counter refuses to grow by nothing
                counter.inc(amount)


def _counter(name: str, description: str, tags: dict[str, str]) -> Counter:
    counter = Counter(name, description, tag_keys=TAGS)
    counter.set_default_tags(tags)
    return counter
