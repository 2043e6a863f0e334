"""Counters and gauges of a search in Ray's metrics (Prometheus names ``ray_raystar_*``). Knows names and units only."""

from __future__ import annotations

from ray.util.metrics import Counter, Gauge

from search.tree import Tree

TAGS = ("run", "stage")


class SearchMetrics:
    """What a search has done so far, tagged with run and stage; one a process that sees finished trees."""

    def __init__(self, run: str, stage: str) -> None:
        tags = {"run": run, "stage": stage}
        self.trees = _counter("raystar_trees", "finished trees", tags)
        self.solved = _counter("raystar_trees_solved", "finished trees with a right answer", tags)
        self.nodes = _counter("raystar_nodes", "steps in finished trees", tags)
        self.expansions = _counter("raystar_expansions", "expanded steps in finished trees", tags)
        self.rollouts = _counter("raystar_rollouts", "visits of the roots of finished trees", tags)
        self.generated = _counter("raystar_generated_tokens", "tokens written by the policy", tags)
        self.scored = _counter("raystar_scored_tokens", "tokens read by the scorer", tags)
        self.executions = _counter("raystar_executions", "programs run", tags)
        self.failures = _counter("raystar_failures", "failures counted in trees", tags)
        self.open = Gauge("raystar_open_trees", "trees being grown", tag_keys=TAGS)
        self.open.set_default_tags(tags)

    def finished(self, tree: Tree) -> None:
        """Count a finished tree."""
        self.trees.inc(1)
        for counter, amount in (
            (self.solved, int(tree.solved)),
            (self.nodes, len(tree.nodes) - 1),
            (self.expansions, sum(node.expanded for node in tree.nodes)),
            (self.rollouts, tree.nodes[0].visits),
            (self.generated, tree.cost.generated_tokens),
            (self.scored, tree.cost.scored_tokens),
            (self.executions, tree.cost.executions),
            (self.failures, sum(tree.failures.values())),
        ):
            if amount > 0:  # a Ray counter refuses to grow by nothing
                counter.inc(amount)


def _counter(name: str, description: str, tags: dict[str, str]) -> Counter:
    counter = Counter(name, description, tag_keys=TAGS)
    counter.set_default_tags(tags)
    return counter
