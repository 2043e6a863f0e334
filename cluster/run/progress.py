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
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as BarProgress
from rich.progress import Task as BarTask
from rich.text import Text

from cluster.formatting import format_duration, format_rate
from train.trainer.job import TrainReport

LOG_INTERVAL_S = 30.0
MIN_SHARE_FOR_ETA = 0.05  # share of the units done before a time left is shown that is made from them
QUIET_S = 1.0  # shortest phase that is always worth a line
NO_ESTIMATE = "time left not known yet"


class Bars(BarProgress):
    """Progress bars, each with its note on the line below, so that both fit 80 columns."""

    def get_renderables(self) -> Iterator[RenderableType]:
        for task in self.tasks:
            yield self.make_tasks_table([task])
            if task.fields["note"]:
                yield Text(f"  {task.fields['note']}", style="dim", no_wrap=True, overflow="ellipsis")


class CountColumn(MofNCompleteColumn):
    """Column with done/total units; empty for a phase, which has none."""

    def render(self, task: BarTask) -> Text:
        return Text("") if task.fields["is_phase"] else super().render(task)


class RateColumn(TextColumn):
    """Column with the rate of a task: units per second, minute or hour. Empty where the time left is estimated."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: BarTask) -> Text:
        is_hidden = task.fields["is_phase"] or task.fields["time_left"]
        return Text("" if is_hidden else format_rate(task.speed or task.finished_speed), style="dim")


class TimeColumn(ProgressColumn):
    """Column with the time left of a task, as its owner estimates it or by its rate, or the time that a phase has taken."""

    max_refresh = 0.5

    def __init__(self) -> None:
        super().__init__()
        self._by_rate = TimeRemainingColumn(compact=True)

    def render(self, task: BarTask) -> Text:
        if task.fields["is_phase"]:
            return Text(format_duration(task.elapsed or 0.0), style="dim")
        return Text(task.fields["time_left"], style="dim") if task.fields["time_left"] else self._by_rate.render(task)


@dataclass(slots=True)
class Task:
    """A task of ``total`` units (None: unknown). ``advance`` is safe in any thread or coroutine of this process.

    Args:
        done: units done, by this and earlier starts.
        note: a few words shown beside the bar, for example "solved 61 %".
        time_left: the owner's words for the time left, which then is not made from the units done.
        resumed_at: units that an earlier start did; they do not count for the rate.
    """

    label: str
    total: int | None
    _: KW_ONLY
    done: int = 0
    note: str = ""
    time_left: str = ""
    started: float = field(default_factory=monotonic)
    resumed_at: int = 0
    bars: Bars | None = None
    bar: TaskID | None = None

    def advance(self, n: int = 1, note: str | None = None) -> None:
        """Count ``n`` more units. ``note`` replaces the note."""
        self.update(self.done + n, note)

    def estimate(self, seconds: float | None) -> None:
        """Set the time left to an estimate of the owner's; None: there is nothing to estimate it from yet."""
        self.time_left = NO_ESTIMATE if seconds is None else f"about {format_duration(seconds)} left"
        self.update(self.done)

    def update(self, done: int, note: str | None = None, total: int | None = None) -> None:
        """Set the units done, and the note and the total unless they are None."""
        self.done = done
        self.note = self.note if note is None else note
        self.total = self.total if total is None else total
        if self.bars is not None and self.bar is not None:
            self.bars.update(self.bar, completed=done, total=self.total, note=self.note, time_left=self.time_left)

    def line(self) -> str:
        """Return a log line: label, done/total, share, rate or estimated time left, and note."""
        elapsed = monotonic() - self.started
        speed = (self.done - self.resumed_at) / elapsed if elapsed > 0 else 0.0
        parts = [f"{self.label}: {self.done}" + (f"/{self.total}" if self.total is not None else "")]
        if self.total:
            parts.append(f"{100 * self.done / self.total:.0f} %")
        if self.time_left:
            parts += [self.time_left] if self.total is None or self.done < self.total else []
        elif speed > 0:
            parts.append(format_rate(speed))
            if self.total is not None and self._has_eta(self.total):
                parts.append(f"{format_duration((self.total - self.done) / speed)} left")
        return ", ".join([*parts, *([self.note] if self.note else [])])

    def _has_eta(self, total: int) -> bool:
        return self.done < total and self.done - self.resumed_at >= MIN_SHARE_FOR_ETA * (total - self.resumed_at)


@dataclass(slots=True)
class Phase:
    """Something that takes a while and has no units, such as loading a model."""

    label: str
    started: float

    def line(self) -> str:
        """Return a log line: label and the time so far."""
        return f"{self.label}, {format_duration(monotonic() - self.started)}"


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
        self._tasks: list[Task | Phase] = []
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
            task.bar = self._bars.add_task(label, total=total, completed=done, note="", time_left="", is_phase=False)
        self._tasks.append(task)
        try:
            yield task
        finally:
            self._tasks.remove(task)
            if task.bar is not None and self._bars is not None:
                self._bars.remove_task(task.bar)
            self.log(f"{task.line()}, took {format_duration(monotonic() - task.started)}")

    @contextmanager
    def phase(self, label: str, *, quiet: bool = False) -> Iterator[None]:
        """Show a phase until the block ends: with the time so far while it lasts, then a line with all of it.

        Without a terminal a line is logged at its begin too. A block that raises logs no last line. ``quiet``: no line
        at its begin, and none at its end if it took less than QUIET_S.
        """
        phase, bar = Phase(label, monotonic()), None
        if self._bars is not None:
            bar = self._bars.add_task(label, total=None, note="", time_left="", is_phase=True)
        elif not quiet:
            self.log(f"{label} …")
        self._tasks.append(phase)
        try:
            yield
        finally:
            self._tasks.remove(phase)
            if bar is not None and self._bars is not None:
                self._bars.remove_task(bar)
        seconds = monotonic() - phase.started
        if not quiet or seconds >= QUIET_S:
            self.log(f"{label}: done, took {format_duration(seconds)}")

    def current_line(self) -> str:
        """Return what is running now, in the words of the log; empty between two tasks."""
        return "; ".join(task.line() for task in list(self._tasks))

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
        BarColumn(bar_width=20),
        CountColumn(),
        RateColumn(),
        TimeColumn(),
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
