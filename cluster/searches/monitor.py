"""Monitor of a running search: passes what its workers report to progress, metrics and statistics."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field
from types import TracebackType
from typing import Self

from actors.stats import WorkerStats
from actors.workers.messages import TreeSummary
from cluster.run.progress import Progress, Task
from cluster.searches.estimate import TimeEstimate
from cluster.searches.prometheus import SearchMetrics
from cluster.searches.stats import SearchStats


@dataclass(slots=True)
class SearchMonitor:
    """Callbacks of one search, and what it has counted so far. A context manager: the search is shown inside the block.

    Up to the first tokens it is shown as a phase, the warm-up; then as a task of ``total`` problems, of which an earlier
    start did ``done``. ``blind``: an evaluation, whose progress does not say how many problems were solved.
    ``quarantined``: the reason why there is no tree, by problem id.
    """

    progress: Progress
    label: str
    total: int
    done: int
    _: KW_ONLY
    metrics: SearchMetrics
    stats: SearchStats
    estimate: TimeEstimate
    blind: bool
    solved: int = 0
    quarantined: dict[str, str] = field(default_factory=dict)
    _shown: ExitStack = field(default_factory=ExitStack)
    _task: Task | None = None

    def __enter__(self) -> Self:
        self._shown.enter_context(self.progress.phase(f"{self.label}: warm-up until the first tokens", quiet=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shown.__exit__(kind, error, trace)

    @property
    def task(self) -> Task:
        """The shown task, which ends the warm-up."""
        if self._task is None:
            self._shown.close()
            self._task = self._shown.enter_context(self.progress.task(self.label, self.total, done=self.done))
            self._task.estimate(None)
        return self._task

    def on_summary(self, summary: TreeSummary) -> None:
        """Count a finished problem, with or without a tree."""
        self.solved += summary.solved
        self.metrics.count(summary)
        self.estimate.on_summary(summary)
        self.task.advance(1)
        if summary.quarantine_reason:
            self.quarantined[summary.problem_id] = summary.quarantine_reason

    def on_stats(self, worker: int, heartbeat: WorkerStats) -> None:
        """Record a worker's heartbeat and show the present state."""
        self.stats.record(worker, heartbeat)
        self.metrics.set_gauges(self.stats)
        self.estimate.on_stats(self.stats.now, self.stats.total.generated_tokens)
        if self._task is not None or heartbeat.generated_tokens:
            self._show(self.stats.current_line())

    def finish(self) -> None:
        """Show the totals when all problems are done."""
        self.metrics.finish()
        self._show(self.stats.total_line())

    def _show(self, line: str) -> None:
        self.task.update(self.task.done, line if self.blind else f"{self.solved} solved, {line}")
        self.task.estimate(self.estimate.seconds_left())
