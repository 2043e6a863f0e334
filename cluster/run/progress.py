"""Progress of long jobs: bars on a terminal, a plain line now and then elsewhere. Knows no stage."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, strftime
from typing import IO

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as BarProgress
from rich.progress import Task as BarTask
from rich.text import Text

from cluster.formatting import duration, rate
from train.trainer.job import TrainReport

LINE_EVERY_S = 30.0
FORESEEABLE = 0.05  # of the units, before a time left is said: trees grow side by side and end late


class Bars(BarProgress):
    """Bars with the note of each under it: both are read at 80 columns."""

    def get_renderables(self) -> Iterator[RenderableType]:
        for task in self.tasks:
            yield self.make_tasks_table([task])
            if task.fields["note"]:
                yield Text(f"  {task.fields['note']}", style="dim", no_wrap=True, overflow="ellipsis")


class Rate(TextColumn):
    """Units a second, or a unit every so many seconds where that is slow."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: BarTask) -> Text:
        return Text(rate(task.speed or task.finished_speed), style="dim")


@dataclass(slots=True)
class Task:
    """One job: ``advance`` from anywhere in this process, a thread or a coroutine."""

    what: str
    total: int | None
    done: int = 0
    note: str = ""
    started: float = field(default_factory=monotonic)
    first: int = 0
    bars: Bars | None = None
    bar: TaskID | None = None

    def advance(self, n: int = 1, note: str | None = None) -> None:
        """Count ``n`` more; ``note`` is a few words shown beside the bar, for example "solved 61 %"."""
        self.update(self.done + n, note)

    def update(self, done: int, note: str | None = None, total: int | None = None) -> None:
        """Set how many are done, and the total where it has changed."""
        self.done = done
        self.note = self.note if note is None else note
        self.total = self.total if total is None else total
        if self.bars is not None and self.bar is not None:
            self.bars.update(self.bar, completed=done, total=self.total, note=self.note)

    def line(self) -> str:
        """What a log reader needs: what, done/total, share, rate, time left and the note."""
        elapsed = monotonic() - self.started
        speed = (self.done - self.first) / elapsed if elapsed > 0 else 0.0
        parts = [f"{self.what}: {self.done}" + (f"/{self.total}" if self.total is not None else "")]
        if self.total:
            parts.append(f"{100 * self.done / self.total:.0f} %")
        if speed > 0:
            parts.append(rate(speed))
        if speed > 0 and self.total is not None and self._foreseeable(self.total):
            parts.append(f"{duration((self.total - self.done) / speed)} left")
        return ", ".join([*parts, *([self.note] if self.note else [])])

    def _foreseeable(self, total: int) -> bool:
        return self.done < total and self.done - self.first >= FORESEEABLE * (total - self.first)


class Progress:
    """Shows tasks and says lines; one a process, used as a context manager.

    On a terminal: live bars, lines scroll above them. Elsewhere: a line per running task every ``every_s`` seconds and
    one when it ends. ``log`` also keeps every line, with the time of day, in a file.
    """

    def __init__(
        self, *, stream: IO[str] | None = None, log: Path | None = None, every_s: float = LINE_EVERY_S
    ) -> None:
        self.console = Console(file=stream or sys.stdout, highlight=False, soft_wrap=True)
        self.live = self.console.is_terminal and not self.console.is_dumb_terminal
        self._log = log
        self._every = every_s
        self._tasks: list[Task] = []
        self._bars = _bars(self.console) if self.live else None
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
    def task(self, what: str, total: int | None = None, done: int = 0) -> Iterator[Task]:
        """A job of ``total`` units (None: unknown), ``done`` of which an earlier start has finished."""
        task = Task(what, total, done, first=done)
        if self._bars is not None:
            task.bars = self._bars
            task.bar = self._bars.add_task(what, total=total, completed=done, note="")
        self._tasks.append(task)
        try:
            yield task
        finally:
            self._tasks.remove(task)
            if task.bar is not None and self._bars is not None:
                self._bars.remove_task(task.bar)
            self.say(f"{task.line()}, took {duration(monotonic() - task.started)}")

    def say(self, text: str) -> None:
        """One line for the user and the log."""
        self.console.print(text, markup=False)
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(f"{strftime('%Y-%m-%d %H:%M:%S')} {text}\n")

    def _tick(self) -> None:
        while not self._stop.wait(self._every):
            for task in list(self._tasks):
                self.say(task.line())


def _bars(console: Console) -> Bars:
    return Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=False,
    )


@contextmanager
def shown(progress: Progress, what: str) -> Iterator[Reporter]:
    """A progress bar that a training run's reports drive."""
    with progress.task(what) as task:
        yield Reporter(task)


class Reporter:
    """Feeds one progress bar and keeps the loss curve."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.losses: list[tuple[int, float]] = []

    def __call__(self, report: TrainReport) -> None:
        self.losses.append((report.step, report.loss))
        self.task.update(report.step, f"loss {report.loss:.3f}", total=report.steps)
