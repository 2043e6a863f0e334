"""What a judge is worth, for the terminal and as one self-contained page. Knows results, not how they were made."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from rich.table import Table

from cluster.formatting import count
from cluster.report import charts, markup
from cluster.report.charts import Point, Series
from cluster.report.curves import short
from cluster.reward_eval.evaluate import Curves, Judgement
from cluster.run.progress import Progress
from search.evaluation.best_of_n_curves import ANY, MAJORITY, METHODS, MOST_POINTS, TRIALS, WEIGHTED
from search.evaluation.confidence import Interval
from search.evaluation.process_bench import ProcessScore
from search.evaluation.voting import Aggregation
from search.storage.files import write_atomic

HTML = "judge.html"
COLUMNS = 7  # N shown in a table
COLOURS = {name: index for index, name in enumerate(METHODS)}
NOTE = (
    "Best-of-N and any are expectations over all subsets of N samples. Votes are exact where a problem has at most "
    f"{TRIALS} subsets of N, else means over {TRIALS} seeded random ones. A sample without an answer is wrong. Intervals "
    "are Wilson's at 95 %, over problems."
)


def finish(root: Path, found: Judgement, progress: Progress) -> None:
    """Say what was found, show it, and write the page."""
    for line in about(found):
        progress.say(line)
    if found.curves is not None:
        progress.console.print(table(found.curves))
    if found.steps is not None:
        progress.console.print(steps_table(found.steps))
    progress.say(f"judgement: {write(root, found)}")


def table(found: Curves) -> Table:
    """A row a method, accuracies in % at some N and the interval at the last: at most 80 columns wide."""
    grid = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    grid.add_column("best by / N", no_wrap=True)
    for place in _places(found.sizes):
        grid.add_column(str(found.sizes[place]), justify="right", no_wrap=True)
    grid.add_column(f"95 % at {found.sizes[-1]}", justify="right", no_wrap=True)
    for name in METHODS:
        values = found.methods[name]
        cells = [f"{100 * values[place].mean:.1f}" for place in _places(found.sizes)]
        grid.add_row(_title(found, name), *cells, _interval(values[-1]))
    return grid


def steps_table(found: ProcessScore) -> Table:
    """ProcessBench's three numbers."""
    grid = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("first wrong step", "%", "95 %", "solutions"):
        grid.add_column(name, justify="left" if name == "first wrong step" else "right", no_wrap=True)
    for row in _step_rows(found):
        grid.add_row(*row)
    return grid


def about(found: Judgement) -> list[str]:
    """Lines that say what the numbers stand on."""
    lines = [f"{found.kind} {found.model} on {found.source}"]
    if found.curves is not None:
        curves = found.curves
        lines.append(
            f"{curves.problems} problems, up to {curves.samples} samples each; a problem took {count(curves.generated)} "
            f"generated and {count(curves.scored)} judged tokens"
        )
    if found.steps is not None:
        lines.append(f"a step is called wrong below {found.steps.threshold:.3f} ({found.threshold})")
    return lines


def write(root: Path, found: Judgement) -> Path:
    """The page with curves and tables."""
    lines = "<br>".join(escape(line) for line in about(found))
    body = f'<h1>A judge\'s worth</h1><p class="soft">{lines}</p>'
    if found.curves is not None:
        body += _curves(found.curves)
    if found.steps is not None:
        note = (
            "ProcessBench: the first wrong step must be named, or none where none is; F1 is the harmonic mean of both."
        )
        rows = [tuple(escape(cell) for cell in row) for row in _step_rows(found.steps)]
        head = ("first wrong step", "%", "95 %", "solutions")
        body += markup.section("Wrong steps", note, markup.table(head, rows, numbers=range(1, 4)))
    write_atomic(root / HTML, markup.document("RayStar: a judge's worth", body))
    return root / HTML


def _curves(found: Curves) -> str:
    judged = (*Aggregation, MAJORITY)
    voted = (found.by, MAJORITY, WEIGHTED, ANY)
    cards = [
        markup.card(_chart(found, judged), "Best-of-N by aggregation"),
        markup.card(_chart(found, voted), "Best-of-N and votes"),
    ]
    key = charts.legend([(_title(found, name), COLOURS[name]) for name in METHODS])
    head = ("N", *(_title(found, name) for name in METHODS))
    places = range(len(found.sizes)) if len(found.sizes) <= MOST_POINTS // 4 else _places(found.sizes)
    rows = [(str(found.sizes[place]), *(_cell(found.methods[name][place]) for name in METHODS)) for place in places]
    results = markup.table(head, rows, numbers=range(len(head)))
    return markup.grid(cards) + key + markup.section("Accuracy by N (%)", NOTE, results)


def _chart(found: Curves, names: Sequence[str]) -> str:
    series = [
        Series(
            _title(found, name),
            tuple(
                Point(size, 100 * one.mean, 100 * one.low, 100 * one.high, f"{_title(found, name)}, N = {size}: {_cell(one)}")
                for size, one in zip(found.sizes, found.methods[name], strict=True)
            ),
            COLOURS[name],
        )
        for name in names
    ]  # fmt: skip
    x = charts.log_axis([float(size) for size in found.sizes], "samples N", short)
    highest = max(point.high or 0.0 for one in series for point in one.points)
    y = charts.axis([min(highest, 100.0)], "accuracy (%)", lambda value: f"{value:g}")
    return charts.lines(series, x, y, markers=len(found.sizes) <= MOST_POINTS // 2)


def _places(sizes: Sequence[int]) -> list[int]:
    """Indices of at most COLUMNS sizes, in about equal ratios, first and last among them."""
    wanted = [sizes[-1] ** (i / (COLUMNS - 1)) for i in range(COLUMNS)]
    return sorted({min(range(len(sizes)), key=lambda i, n=n: abs(sizes[i] - n)) for n in wanted})  # type: ignore[misc]


def _title(found: Curves, name: str) -> str:
    return f"{name} ({found.by})" if name == WEIGHTED else str(name)


def _step_rows(found: ProcessScore) -> list[tuple[str, ...]]:
    rows = (("in wrong solutions", found.erroneous), ("none in right ones", found.right), ("F1", found.f1))
    return [(name, f"{100 * one.mean:.1f}", _interval(one), str(one.n)) for name, one in rows]


def _interval(one: Interval) -> str:
    return f"{100 * one.low:.1f}-{100 * one.high:.1f}"


def _cell(one: Interval) -> str:
    return f"{100 * one.mean:.1f} ({_interval(one)})"
