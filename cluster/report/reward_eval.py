"""Show the evaluation of a reward model on the terminal and as a self-contained page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from rich.table import Table

from cluster.formatting import format_count
from cluster.report import charts, markup
from cluster.report.charts import Point, Series
from cluster.report.curves import short_number
from cluster.reward_eval.evaluate import RewardEvaluation, SampleCurves
from cluster.run.progress import Progress
from search.data import Aggregation
from search.evaluation.best_of_n_curves import ANY, MAJORITY, MAX_POINTS, METHODS, TRIALS, WEIGHTED
from search.evaluation.confidence import Interval
from search.evaluation.process_bench import ProcessScore
from search.storage.files import write_text

HTML = "reward_model.html"
MAX_COLUMNS = 7  # N shown in a table
COLOURS = {method: index for index, method in enumerate(METHODS)}
STEP_COLUMNS = ("first error", "%", "95 %", "solutions")
CURVES_NOTE = (
    "Best-of-N and any are expectations over all subsets of N samples. Votes are exact if a problem has at most "
    f"{TRIALS} subsets of N, else means over {TRIALS} seeded random ones. A sample without an answer is incorrect. "
    "Intervals are Wilson's at 95 %, over problems."
)
STEPS_NOTE = (
    "ProcessBench: the first incorrect step must be found, or that there is none. "
    "F1 is the harmonic mean of the two accuracies."
)


def finish(root: Path, evaluation: RewardEvaluation, progress: Progress) -> None:
    """Print the evaluation, write its page and print the page's path."""
    for line in describe(evaluation):
        progress.log(line)
    if evaluation.curves is not None:
        progress.console.print(table(evaluation.curves))
    if evaluation.steps is not None:
        progress.console.print(steps_table(evaluation.steps))
    progress.log(f"reward model: {write(root, evaluation)}")


def table(curves: SampleCurves) -> Table:
    """Return a table with a row for each method: accuracies in % at some N, and the interval at the last N.

    It is at most 80 columns wide.
    """
    grid = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    grid.add_column("best by / N", no_wrap=True)
    for index in _shown_sizes(curves.sizes):
        grid.add_column(str(curves.sizes[index]), justify="right", no_wrap=True)
    grid.add_column(f"95 % at {curves.sizes[-1]}", justify="right", no_wrap=True)
    for method in METHODS:
        accuracies = curves.methods[method]
        cells = [f"{100 * accuracies[index].mean:.1f}" for index in _shown_sizes(curves.sizes)]
        grid.add_row(_title(curves, method), *cells, _format_interval(accuracies[-1]))
    return grid


def steps_table(steps: ProcessScore) -> Table:
    """Return a table of ProcessBench's three numbers."""
    grid = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for index, name in enumerate(STEP_COLUMNS):
        grid.add_column(name, justify="right" if index else "left", no_wrap=True)
    for row in _step_rows(steps):
        grid.add_row(*row)
    return grid


def describe(evaluation: RewardEvaluation) -> list[str]:
    """Return lines on what was evaluated: the model, its solutions and tokens, and the threshold of steps."""
    lines = [f"{evaluation.kind} {evaluation.model} on {evaluation.source}"]
    if evaluation.curves is not None:
        curves = evaluation.curves
        lines.append(
            f"{curves.problems} problems, up to {curves.samples} samples each; a problem took "
            f"{format_count(curves.generated_tokens)} generated and {format_count(curves.scored_tokens)} scored tokens"
        )
    if evaluation.steps is not None:
        lines.append(f"a step counts as incorrect below {evaluation.steps.threshold:.3f} ({evaluation.threshold})")
    return lines


def write(root: Path, evaluation: RewardEvaluation) -> Path:
    """Write the page with charts and tables, and return its path."""
    lines = "<br>".join(escape(line) for line in describe(evaluation))
    body = f'<h1>Reward model</h1><p class="soft">{lines}</p>'
    if evaluation.curves is not None:
        body += _curves_section(evaluation.curves)
    if evaluation.steps is not None:
        rows = [tuple(escape(cell) for cell in row) for row in _step_rows(evaluation.steps)]
        body += markup.section("First errors", STEPS_NOTE, markup.table(STEP_COLUMNS, rows, numbers=range(1, 4)))
    write_text(root / HTML, markup.document("RayStar: reward model", body))
    return root / HTML


def _curves_section(curves: SampleCurves) -> str:
    """Return the charts of best-of-N and votes, their legend and the table of accuracies."""
    cards = [
        markup.card(_chart(curves, (*Aggregation, MAJORITY)), "Best-of-N by aggregation"),
        markup.card(_chart(curves, (curves.aggregation, MAJORITY, WEIGHTED, ANY)), "Best-of-N and votes"),
    ]
    legend = charts.legend([(_title(curves, method), COLOURS[method]) for method in METHODS])
    head = ("N", *(_title(curves, method) for method in METHODS))
    show_all = len(curves.sizes) <= MAX_POINTS // 4
    rows = [
        (str(curves.sizes[index]), *(_cell(curves.methods[method][index]) for method in METHODS))
        for index in (range(len(curves.sizes)) if show_all else _shown_sizes(curves.sizes))
    ]
    results = markup.table(head, rows, numbers=range(len(head)))
    return markup.grid(cards) + legend + markup.section("Accuracy by N (%)", CURVES_NOTE, results)


def _chart(curves: SampleCurves, methods: Sequence[str]) -> str:
    series = [Series(_title(curves, method), _points(curves, method), COLOURS[method]) for method in methods]
    x = charts.log_axis([float(size) for size in curves.sizes], "samples N", short_number)
    highest = max(point.high or 0.0 for line in series for point in line.points)
    y = charts.axis([min(highest, 100.0)], "accuracy (%)", lambda value: f"{value:g}")
    return charts.lines(series, x, y, markers=len(curves.sizes) <= MAX_POINTS // 2)


def _points(curves: SampleCurves, method: str) -> tuple[Point, ...]:
    title = _title(curves, method)
    return tuple(
        Point(
            size,
            100 * accuracy.mean,
            low=100 * accuracy.low,
            high=100 * accuracy.high,
            tip=f"{title}, N = {size}: {_cell(accuracy)}",
        )
        for size, accuracy in zip(curves.sizes, curves.methods[method], strict=True)
    )


def _shown_sizes(sizes: Sequence[int]) -> list[int]:
    """Return the indices of at most MAX_COLUMNS sizes, in about equal ratios, the first and the last among them."""
    targets = [sizes[-1] ** (i / (MAX_COLUMNS - 1)) for i in range(MAX_COLUMNS)]
    return sorted({min(range(len(sizes)), key=lambda i, n=n: abs(sizes[i] - n)) for n in targets})  # type: ignore[misc]


def _title(curves: SampleCurves, method: str) -> str:
    return f"{method} ({curves.aggregation})" if method == WEIGHTED else str(method)


def _step_rows(steps: ProcessScore) -> list[tuple[str, ...]]:
    rows = (("in incorrect solutions", steps.erroneous), ("none in correct ones", steps.correct), ("F1", steps.f1))
    return [(name, f"{100 * share.mean:.1f}", _format_interval(share), str(share.n)) for name, share in rows]


def _format_interval(share: Interval) -> str:
    return f"{100 * share.low:.1f}-{100 * share.high:.1f}"


def _cell(share: Interval) -> str:
    return f"{100 * share.mean:.1f} ({_format_interval(share)})"
