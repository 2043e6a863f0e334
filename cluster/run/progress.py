"""Show the progress of long tasks: bars on a terminal, log lines elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from time import monotonic, strftime
from typing import IO

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as BarProgress
from rich.progress import Task as BarTask
from rich.text import Text

from cluster.formatting import format_duration, format_rate
from train.trainer.job import TrainReport

LOG_INTERVAL_S = 30.0
MIN_SHARE_FOR_ETA = 0.05  # share of the units done before a time left is shown: trees grow concurrently and end late


class Bars(BarProgress):
    """Progress bars, each with its note on the line below, so that both fit 80 columns."""

    def get_renderables(self) -> Iterator[RenderableType]:
        for task in self.tasks:
            yield self.make_tasks_table([task])
            if task.fields["note"]:
                yield Text(f"  {task.fields['note']}", style="dim", no_wrap=True, overflow="ellipsis")


class RateColumn(TextColumn):
    """Column with the rate of a task: units per second, minute or hour."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: BarTask) -> Text:
        return Text(format_rate(task.speed or task.finished_speed), style="dim")


@dataclass(slots=True)
class Task:
    """A task of ``total`` units (None: unknown). ``advance`` is safe in any thread or coroutine of this process.

    Args:
        done: units done, by this and earlier starts.
        note: a few words shown beside the bar, for example "solved 61 %".
        resumed_at: units that an earlier start did; they do not count for the rate.
    """

    label: str
    total: int | None
    _: KW_ONLY
    done: int = 0
    note: str = ""
    started: float = field(default_factory=monotonic)
    resumed_at: int = 0
    bars: Bars | None = None
    bar: TaskID | None = None

    def advance(self, n: int = 1, note: str | None = None) -> None:
        """Count ``n`` more units. ``note`` replaces the note."""
        self.update(self.done + n, note)

    def update(self, done: int, note: str | None = None, total: int | None = None) -> None:
        """Set the units done, and the note and the total unless they are None."""
        self.done = done
        self.note = self.note if note is None else note
        self.total = self.total if total is None else total
        if self.bars is not None and self.bar is not None:
            self.bars.update(self.bar, completed=done, total=self.total, note=self.note)

    def line(self) -> str:
        """Return a log line: label, done/total, share, rate, time left and note."""
        elapsed = monotonic() - self.started
        speed = (self.done - self.resumed_at) / elapsed if elapsed > 0 else 0.0
        parts = [f"{self.label}: {self.done}" + (f"/{self.total}" if self.total is not None else "")]
        if self.total:
            parts.append(f"{100 * self.done / self.total:.0f} %")
        if speed > 0:
            parts.append(format_rate(speed))
        if speed > 0 and self.total is not None and self._has_eta(self.total):
            parts.append(f"{format_duration((self.total - self.done) / speed)} left")
        return ", ".join([*parts, *([self.note] if self.note else [])])

    def _has_eta(self, total: int) -> bool:
        return self.done < total and self.done - self.resumed_at >= MIN_SHARE_FOR_ETA * (total - self.resumed_at)


class Progress:
    """Display of tasks and log lines. A context manager; at most one for each process.

    On a terminal: live bars, with log lines scrolling above them. Elsewhere: a line for each running task every
    ``every_s`` seconds and one when it ends. All log lines also go to ``log_file`` with date and time.
    """

    def __init__(
        self, *, stream: IO[str] | None = None, log_file: Path | None = None, every_s: float = LOG_INTERVAL_S
    ) -> None:
        self.console = Console(file=stream or sys.stdout, highlight=False, soft_wrap=True)
        self.live = self.console.is_terminal and not self.console.is_dumb_terminal
        self._log_file = log_file
        self._every = every_s
        self._tasks: list[Task] = []
        self._bars = _new_bars(self.console) if self.live else None
        self._stop = threading.Event()
        self._ticker: threading.Thread | None = None

    def __enter__(self) -> Progress:
        if self._bars is not None:
            self._bars.start()
        else:
            self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)
            self._ticker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._bars is not None:
            self._bars.stop()
        if self._ticker is not None:
            self._ticker.join(timeout=5)

    @contextmanager
    def task(self, label: str, total: int | None = None, done: int = 0) -> Iterator[Task]:
        """Show a task of ``total`` units (None: unknown), of which an earlier start did ``done``, until the block ends."""
        task = Task(label, total, done=done, resumed_at=done)
        if self._bars is not None:
            task.bars = self._bars
            task.bar = self._bars.add_task(label, total=total, completed=done, note="")
        self._tasks.append(task)
        try:
            yield task
        finally:
            self._tasks.remove(task)
            if task.bar is not None and self._bars is not None:
                self._bars.remove_task(task.bar)
            self.log(f"{task.line()}, took {format_duration(monotonic() - task.started)}")

    def log(self, text: str) -> None:
        """Print a line, and append it to the log file with date and time."""
        self.console.print(text, markup=False)
        if self._log_file is not None:
            with self._log_file.open("a", encoding="utf-8") as file:
                file.write(f"{strftime('%Y-%m-%d %H:%M:%S')} {text}\n")

    def _tick(self) -> None:
        while not self._stop.wait(self._every):
            for task in list(self._tasks):
                self.log(task.line())


def _new_bars(console: Console) -> Bars:
    return Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=False,
    )


@contextmanager
def training_task(progress: Progress, label: str) -> Iterator[TrainReporter]:
    """Show a task that the reports of a training run advance."""
    with progress.task(label) as task:
        yield TrainReporter(task)


class TrainReporter:
    """Callback for a training run's reports. Advances a task and collects the losses by optimizer step."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.losses: list[tuple[int, float]] = []

    def __call__(self, report: TrainReport) -> None:
        self.losses.append((report.step, report.loss))
        self.task.update(report.step, f"loss {report.loss:.3f}", total=report.steps)
