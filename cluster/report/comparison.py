"""Show a comparison of strategies on the terminal and as a self-contained page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from rich.table import Table

from cluster.evaluation.compare import StrategyResult
from cluster.formatting import format_difference
from cluster.report import charts, markup
from cluster.report.charts import Point, Series
from cluster.report.curves import short_number
from search.storage.files import write_text

HTML = "comparison.html"
NOTE = "Means over seeds; intervals over problems; differences are paired by problem and taken at the same budget."


def table(results: Sequence[StrategyResult], baseline: str) -> Table:
    """Return a table with a row for each strategy and budget. It is at most 80 columns wide."""
    grid = Table(box=None, padding=(0, 1, 0, 0), caption_justify="left")
    for name in ("strategy", "budget", "accuracy %", "95 %", "tokens", "s", f"- {baseline}"):
        grid.add_column(name, justify="left" if name == "strategy" else "right", no_wrap=True)
    for result in results:
        grid.add_row(*_cells(result))
    return grid


def write(root: Path, results: Sequence[StrategyResult], baseline: str, about: str) -> Path:
    """Write the page with charts and table, and return its path. ``about``: a line on models, problems and seeds."""
    head = ("strategy", "budget", "accuracy %", "95 %", "tokens a problem", "s a problem", f"less {baseline} (points)")
    rows = [tuple(escape(cell) for cell in _cells(result)) for result in results]
    by_tokens = _chart(results, lambda result: result.tokens, "generated tokens a problem")
    by_seconds = _chart(results, lambda result: result.seconds, "seconds a problem")
    body = f'<h1>Strategies at equal cost</h1><p class="soft">{escape(about)}</p>'
    body += markup.grid(
        [markup.card(by_tokens, "Accuracy by tokens"), markup.card(by_seconds, "Accuracy by seconds")],
    )
    body += charts.legend([(name, index % 8) for index, name in enumerate(_strategies(results))])
    body += markup.section("Results", NOTE, markup.table(head, rows, numbers=range(1, len(head))))
    write_text(root / HTML, markup.document("RayStar comparison", body))
    return root / HTML


def _cells(result: StrategyResult) -> tuple[str, ...]:
    accuracy = result.accuracy
    return (
        result.strategy,
        str(result.budget),
        f"{100 * accuracy.mean:.1f}",
        f"{100 * accuracy.low:.1f}-{100 * accuracy.high:.1f}",
        f"{result.tokens:.0f}",
        f"{result.seconds:.2f}",
        format_difference(result.difference),
    )


def _strategies(results: Sequence[StrategyResult]) -> list[str]:
    return list(dict.fromkeys(result.strategy for result in results))


def _chart(results: Sequence[StrategyResult], cost: Callable[[StrategyResult], float], title: str) -> str:
    """Return a chart with a line for each strategy: accuracy by ``cost``."""
    series = []
    for index, strategy in enumerate(_strategies(results)):
        points = tuple(_point(result, cost(result)) for result in results if result.strategy == strategy)
        series.append(Series(strategy, points, index % 8))
    x = charts.log_axis([point.x for line in series for point in line.points], title, short_number)
    ends = [end for line in series for point in line.points for end in (point.low or 0.0, point.high or 100.0)]
    return charts.lines(series, x, charts.axis(ends, "accuracy (%)", lambda value: f"{value:g}", include_zero=False))


def _point(result: StrategyResult, cost: float) -> Point:
    accuracy = result.accuracy
    return Point(
        max(cost, 1e-3),  # the axis is logarithmic
        100 * accuracy.mean,
        low=100 * accuracy.low,
        high=100 * accuracy.high,
        tip=f"{result.strategy}, budget {result.budget}: {100 * accuracy.mean:.1f} %, {result.tokens:.0f} tokens",
    )
