"""A comparison of strategies, for the terminal and as one self-contained page. Knows entries, not how they were made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from rich.table import Table

from cluster.evaluation.compare import Entry
from cluster.formatting import points
from cluster.report import charts, markup
from cluster.report.charts import Point, Series
from cluster.report.curves import short
from search.storage.files import write_atomic

HTML = "comparison.html"


def table(entries: Sequence[Entry], against: str) -> Table:
    """A row a strategy and budget: at most 80 columns wide."""
    found = Table(box=None, padding=(0, 1, 0, 0), caption_justify="left")
    for name in ("strategy", "budget", "accuracy %", "95 %", "tokens", "s", f"- {against}"):
        found.add_column(name, justify="left" if name == "strategy" else "right", no_wrap=True)
    for entry in entries:
        found.add_row(*_cells(entry))
    return found


def _cells(entry: Entry) -> tuple[str, ...]:
    right, gap = entry.accuracy, entry.difference
    return (
        entry.strategy,
        str(entry.budget),
        f"{100 * right.mean:.1f}",
        f"{100 * right.low:.1f}-{100 * right.high:.1f}",
        f"{entry.tokens:.0f}",
        f"{entry.seconds:.2f}",
        points(gap),
    )


def write(root: Path, entries: Sequence[Entry], against: str, about: str) -> Path:
    """The page with the picture and the table; ``about`` says models, problems and seeds in a line."""
    head = ("strategy", "budget", "accuracy %", "95 %", "tokens a problem", "s a problem", f"less {against} (points)")
    rows = [tuple(escape(cell) for cell in _cells(entry)) for entry in entries]
    body = f'<h1>Strategies at equal cost</h1><p class="soft">{escape(about)}</p>'
    body += markup.grid(
        [
            markup.card(
                _chart(entries, lambda entry: entry.tokens, "generated tokens a problem"), "Accuracy by tokens"
            ),
            markup.card(_chart(entries, lambda entry: entry.seconds, "seconds a problem"), "Accuracy by seconds"),
        ]
    )
    body += charts.legend([(name, index % 8) for index, name in enumerate(_names(entries))])
    note = "Means over seeds; intervals over problems; differences are paired by problem and taken at the same budget."
    body += markup.section("Results", note, markup.table(head, rows, numbers=range(1, len(head))))
    write_atomic(root / HTML, markup.document("RayStar comparison", body))
    return root / HTML


def _names(entries: Sequence[Entry]) -> list[str]:
    return list(dict.fromkeys(entry.strategy for entry in entries))


def _chart(entries: Sequence[Entry], cost: Callable[[Entry], float], title: str) -> str:
    series = []
    for index, name in enumerate(_names(entries)):
        points = tuple(
            Point(
                max(cost(entry), 1e-3),
                100 * entry.accuracy.mean,
                100 * entry.accuracy.low,
                100 * entry.accuracy.high,
                f"{name}, budget {entry.budget}: {100 * entry.accuracy.mean:.1f} %, {entry.tokens:.0f} tokens",
            )
            for entry in entries
            if entry.strategy == name
        )
        series.append(Series(name, points, index % 8))
    x = charts.log_axis([point.x for one in series for point in one.points], title, short)
    ends = [end for one in series for point in one.points for end in (point.low or 0.0, point.high or 100.0)]
    return charts.lines(series, x, charts.axis(ends, "accuracy (%)", lambda value: f"{value:g}", zero=False))
