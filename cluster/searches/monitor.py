"""What a running search reports, taken in as it comes and shown: progress, metrics, vitals. Runs nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from actors.stats import WorkerStats
from actors.workers.messages import TreeSummary
from cluster.run.progress import Task
from cluster.searches.prometheus import SearchMetrics
from cluster.searches.stats import Vitals


@dataclass(slots=True)
class Watch:
    """One search. ``blind``: nobody says how many were solved, since it is an evaluation. ``quarantined``: reasons by
    problem."""

    task: Task
    metrics: SearchMetrics
    vitals: Vitals
    blind: bool
    right: int = 0
    quarantined: dict[str, str] = field(default_factory=dict)

    def finished(self, summary: TreeSummary) -> None:
        """A problem is done, with a tree or without one."""
        self.right += summary.correct if self.blind else summary.solved
        self.metrics.finished(summary)
        self.task.advance(1)
        if summary.quarantined:
            self.quarantined[summary.problem_id] = summary.quarantined

    def hear(self, worker: int, pulse: WorkerStats) -> None:
        """A worker says how it does."""
        self.vitals.hear(worker, pulse)
        self.metrics.show(self.vitals)
        self._say(self.vitals.line())

    def over(self) -> None:
        """All problems are done."""
        self.metrics.rest()
        self._say(self.vitals.whole_line())

    def _say(self, how: str) -> None:
        self.task.update(self.task.done, how if self.blind else f"{self.right} solved, {how}")
