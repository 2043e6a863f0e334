"""Monitor of a running search: passes what its workers report to progress, metrics and statistics."""

from __future__ import annotations

from dataclasses import dataclass, field

from actors.stats import WorkerStats
from actors.workers.messages import TreeSummary
from cluster.run.progress import Task
from cluster.searches.prometheus import SearchMetrics
from cluster.searches.stats import SearchStats


@dataclass(slots=True)
class SearchMonitor:
    """Callbacks of one search, and what it has counted so far.

    ``blind``: an evaluation, whose progress does not say how many problems were solved. ``quarantined``: the reason why
    there is no tree, by problem id.
    """

    task: Task
    metrics: SearchMetrics
    stats: SearchStats
    blind: bool
    solved: int = 0
    quarantined: dict[str, str] = field(default_factory=dict)

    def on_summary(self, summary: TreeSummary) -> None:
        """Count a finished problem, with or without a tree."""
        self.solved += summary.solved
        self.metrics.count(summary)
        self.task.advance(1)
        if summary.quarantine_reason:
            self.quarantined[summary.problem_id] = summary.quarantine_reason

    def on_stats(self, worker: int, heartbeat: WorkerStats) -> None:
        """Record a worker's heartbeat and show the present state."""
        self.stats.record(worker, heartbeat)
        self.metrics.set_gauges(self.stats)
        self._show(self.stats.current_line())

    def finish(self) -> None:
        """Show the totals when all problems are done."""
        self.metrics.finish()
        self._show(self.stats.total_line())

    def _show(self, line: str) -> None:
        self.task.update(self.task.done, line if self.blind else f"{self.solved} solved, {line}")
