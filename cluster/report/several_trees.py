"""Show what a measured search answers with several trees a problem: lines for the log, tables and charts for the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from cluster.evaluation.records import TREE_READING_TITLES, TreeCurve, TreePoint
from cluster.formatting import format_count, format_percent
from cluster.report import charts, markup
from cluster.report.charts import Axis, Point, Series
from cluster.report.curves import short_number
from cluster.report.data import RunData
from cluster.report.summary import RoundRecord
from search.evaluation.confidence import Interval

COLOURS = {reading: colour for colour, reading in enumerate(TREE_READING_TITLES)}


def last_curves(rounds: Sequence[RoundRecord]) -> dict[str, TreeCurve]:
    """Return the curves of the last evaluation by split; empty if its search grew one tree a problem."""
    last = next((record.evaluation for record in reversed(rounds) if record.evaluation), None)
    return dict(last.trees) if last else {}


def lines(rounds: Sequence[RoundRecord]) -> list[str]:
    """Return a line for each split of the last evaluation: "heldout: search, 4 trees: best 61.2 [54.1, 67.8], …"."""
    return [describe_curve(split, curve) for split, curve in last_curves(rounds).items()]


def describe_curve(split: str, curve: TreeCurve) -> str:
    """Return what all trees of a curve answer, with 95 % intervals and tokens."""
    point = curve.points[-1]
    readings = ", ".join(
        f"{title} {_cell(point.accuracies[reading], brackets='[]')}" for reading, title in TREE_READING_TITLES.items()
    )
    return f"{split}: search, {curve.trees} trees: {readings}; {point.tokens:.0f} tokens a problem"


def section(run: RunData) -> str:
    """Return the tables and charts of the last evaluation; empty if its search grew one tree a problem."""
    curves = last_curves(run.rounds)
    if not curves:
        return ""
    rule = next(iter(curves.values()))
    vote = f"the best {rule.per_tree if rule.per_tree > 1 else 'solution'} of each tree by reward"
    vote += f", of these the {rule.top} best" if rule.top is not None else ""
    note = (
        f"Voters: {vote}. best: the best of them; weighted: by the probability that they are correct; any correct: coverage, "
        "the bound of every rule. Accuracies in % of k trees, means over all choices of k; tokens generated for a problem."
    )
    cards = [markup.card(_chart(curve), f"{split}: accuracy by number of trees (%)") for split, curve in curves.items()]
    legend = charts.legend([(title, COLOURS[reading]) for reading, title in TREE_READING_TITLES.items()])
    tables = [f"<h3 style='margin-top:18px'>{escape(split)}</h3>{_table(curve)}" for split, curve in curves.items()]
    return markup.section("Several trees a problem, last round", note, legend, markup.grid(cards), *tables)


def _table(curve: TreeCurve) -> str:
    head = ("trees", *TREE_READING_TITLES.values(), "tokens")
    rows = [
        (str(point.k), *(_cell(point.accuracies[name]) for name in TREE_READING_TITLES), format_count(point.tokens))
        for point in curve.points
    ]
    return markup.table(head, rows, numbers=range(len(head)))


def _chart(curve: TreeCurve) -> str:
    series = [
        Series(title, tuple(_point(curve, point, reading) for point in curve.points), COLOURS[reading])
        for reading, title in TREE_READING_TITLES.items()
    ]
    highest = max(point.high or 0.0 for line in series for point in line.points)
    y = charts.axis([min(highest, 100.0)], "accuracy (%)", lambda value: f"{value:g}")
    return charts.lines(series, _trees_axis(curve), y)


def _trees_axis(curve: TreeCurve) -> Axis:
    return charts.log_axis([float(point.k) for point in curve.points], "trees", short_number)


def _point(curve: TreeCurve, point: TreePoint, reading: str) -> Point:
    interval = point.accuracies[reading]
    tip = f"{TREE_READING_TITLES[reading]} of {point.k} of {curve.trees} trees: {_cell(interval)}, {point.tokens:.0f} tokens"
    return Point(point.k, 100 * interval.mean, low=100 * interval.low, high=100 * interval.high, tip=tip)


def _cell(interval: Interval, brackets: str = "()") -> str:
    low, high = format_percent(interval.low), format_percent(interval.high)
    return f"{format_percent(interval.mean)} {brackets[0]}{low}, {high}{brackets[1]}"
