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
from search.tree import TreeKey


@dataclass(slots=True)
class SearchMonitor:
    """Callbacks of one search, and what it has counted so far. A context manager: the search is shown inside the block.

    Up to the first tokens it is shown as a phase, the warm-up; then as a task of ``total`` trees, of which an earlier
    start did ``done``. ``trees``: how many each problem gets. ``blind``: an evaluation, whose progress does not say how many
    problems were solved. ``solved``: ids of problems that a tree of this start solved. ``quarantined``: the reason why there
    is no tree, by its key.
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
    trees: int = 1
    solved: set[str] = field(default_factory=set)
    quarantined: dict[TreeKey, str] = field(default_factory=dict)
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
        """Count a finished tree, or one that was given up."""
        self.solved.update([summary.problem_id] if summary.solved else [])
        self.metrics.count(summary)
        self.estimate.on_summary(summary)
        self.task.advance(1)
        if summary.quarantine_reason:
            self.quarantined[summary.key] = summary.quarantine_reason

    def reopen(self, trees: int) -> None:
        """Count ``trees`` finished trees as open again."""
        self.task.update(self.task.done - trees)

    def on_stats(self, worker: int, heartbeat: WorkerStats) -> None:
        """Record a worker's heartbeat and show the present state."""
        self.stats.record(worker, heartbeat)
        self.metrics.set_gauges(self.stats)
        self.estimate.on_stats(self.stats.now, self.stats.total.generated_tokens)
        if self._task is not None or heartbeat.generated_tokens:
            self._show(self.stats.current_line())

    def finish(self) -> None:
        """Show the totals when all trees are done."""
        self.metrics.finish()
        self._show(self.stats.total_line())

    def _show(self, line: str) -> None:
        unit = "problems " if self.trees > 1 else ""  # the task counts trees
        self.task.update(self.task.done, line if self.blind else f"{len(self.solved)} {unit}solved, {line}")
        self.task.estimate(self.estimate.seconds_left())
