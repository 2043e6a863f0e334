"""Show a comparison of strategies on the terminal and as a self-contained page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from cluster.evaluation.stored_comparison import Comparison
from cluster.evaluation.token_curves import (
    CurvePoint,
    CurveValue,
    chosen_values,
    curve_points,
    readings_of,
    values_at,
)
from cluster.formatting import format_count, format_difference
from cluster.report import charts, markup
from cluster.report.charts import Point, Series
from cluster.report.curves import short_number
from search.evaluation.confidence import mean_of_shares
from search.evaluation.readings import COVERAGE
from search.storage.files import write_text

HTML = "comparison.html"
READINGS_NOTE = (
    "Accuracy in % at a number of generated tokens a problem, by the rule that reads the answer from the tree, and coverage: "
    "the share of problems with any correct solution. at: less or more than the budget where a strategy does not reach it."
)
CHOSEN_NOTE = (
    "Each strategy by the rule that was best on the {calibrated_on} problems; the difference is to {against} read by the same "
    "rule, at the same tokens, paired by problem."
)
READING_NOTE = (
    "Curves over the tokens really generated; the table is interpolated between its points. Means over seeds; intervals are "
    "over problems. Not chosen: a correct solution is there, but another answer won."
)
COST_NOTE = (
    "Means a problem. read, scored: prompt tokens of policy and reward model that no prefix cache held. states: scored by the "
    "reward model, in calls. GFLOP: 2 x parameters x tokens of both models. s: with many problems in flight; alone: with one."
)
POINTS_NOTE = (
    "What was measured, at the tokens really generated: accuracy in % by each rule. All else is read off between these."
)
COST_HEAD = ("strategy", "budget", "tokens", "read", "scored", "states", "calls", "runs", "GFLOP", "s", "alone")
CHOSEN_HEAD = ("strategy", "budget", "at", "read by", "acc. %", "95 %")
Curves = dict[str, tuple[CurvePoint, ...]]
Row = tuple[str, ...]


def show(comparison: Comparison, console: Console) -> None:
    """Print the tables of a comparison. They are at most 80 columns wide."""
    curves, header = curve_points(comparison.cells), comparison.header
    note = CHOSEN_NOTE.format(calibrated_on=header.calibrated_on, against=header.against)
    for title, head, rows in (
        (READINGS_NOTE, *_readings(curves, header.budgets)),
        (note, (*CHOSEN_HEAD, f"- {header.against}"), _chosen(curves, comparison)),
        (COST_NOTE, COST_HEAD, _costs(curves)),
    ):
        console.print(f"\n{title}\n")
        console.print(_table(head, rows))


def write(root: Path, comparison: Comparison) -> Path:
    """Write the page with charts and tables, and return its path."""
    curves, header = curve_points(comparison.cells), comparison.header
    seeds = len({cell.repeat for cell in comparison.cells})
    about = f"{header.problems} {header.split} problems, {seeds} seeds, policy {header.policy}"
    about += f", reward model {header.reward_model or 'none'}"
    body = f'<h1>Strategies at equal cost</h1><p class="soft">{escape(about)}</p>'
    body += charts.legend([(name, index % 8) for index, name in enumerate(curves)])
    note = CHOSEN_NOTE.format(calibrated_on=header.calibrated_on, against=header.against)
    chosen = _html_table((*CHOSEN_HEAD, f"less {header.against} (points)"), _chosen(curves, comparison), words=(0, 3))
    body += markup.section("By the rule chosen before", note, chosen)
    body += markup.section("All rules", READINGS_NOTE, _html_table(*_readings(curves, header.budgets)))
    for reading in readings_of(curves):
        body += markup.section(_title(reading), READING_NOTE, *_reading_section(curves, comparison, reading))
    body += markup.section("Costs", COST_NOTE, _html_table(COST_HEAD, _costs(curves)))
    body += markup.section("Settings", _settings_note(comparison), _html_table(*_settings(curves), words=(0, 2, 6)))
    body += markup.section("Points", POINTS_NOTE, _html_table(*_points(curves)))
    write_text(root / HTML, markup.document("RayStar comparison", body))
    return root / HTML


def _reading_section(curves: Curves, comparison: Comparison, reading: str) -> tuple[str, str]:
    """Return the chart and the table of one reading."""
    header = comparison.header
    head = (
        "strategy",
        "budget",
        "at",
        "acc. %",
        "95 %",
        "not found %",
        "not chosen %",
        f"less {header.against} (points)",
    )
    rows = [_value_row(value) for value in values_at(curves, reading, header.budgets, header.against)]
    return markup.card(_chart(curves, reading), f"{_title(reading)} by tokens"), _html_table(head, rows)


def _title(reading: str) -> str:
    return reading.capitalize()


def _value_row(value: CurveValue) -> Row:
    accuracy = value.accuracy
    return (
        value.strategy,
        str(value.budget),
        _at(value),
        f"{100 * accuracy.mean:.1f}",
        f"{100 * accuracy.low:.1f}-{100 * accuracy.high:.1f}",
        f"{100 * value.not_found:.1f}",
        f"{100 * (1 - value.not_found - accuracy.mean):.1f}",
        "–" if value.difference is None else format_difference(value.difference),
    )


def _at(value: CurveValue) -> str:
    """Return the tokens that a value is for, marked where the strategy does not reach the budget."""
    if value.is_reached:
        return f"{value.tokens:.0f}"
    return f"{'<' if value.tokens < value.budget else '>'} {value.tokens:.0f}"


def _readings(curves: Curves, budgets: Sequence[int]) -> tuple[Row, list[Row]]:
    """Return head and rows of the table with a column for each reading."""
    readings = readings_of(curves)
    values = {
        (value.strategy, value.budget, reading): value
        for reading in readings
        for value in values_at(curves, reading, budgets, "")
    }
    rows: list[Row] = []
    for strategy, budget in dict.fromkeys((strategy, budget) for strategy, budget, _ in values):
        cells = [values.get((strategy, budget, reading)) for reading in readings]
        at = next(_at(value) for value in cells if value is not None)
        percents = ("–" if value is None else f"{100 * value.accuracy.mean:.1f}" for value in cells)
        rows.append((strategy, str(budget), at, *percents))
    return ("strategy", "budget", "at", *readings), sorted(rows, key=lambda row: list(curves).index(row[0]))


def _chosen(curves: Curves, comparison: Comparison) -> list[Row]:
    """Return the rows of the strategies by the readings that were chosen for them."""
    header = comparison.header
    rows: list[Row] = []
    for value in chosen_values(curves, header.budgets, header.against):
        strategy, budget, at, accuracy, interval, *_, difference = _value_row(value)
        rows.append((strategy, budget, at, value.reading, accuracy, interval, difference))
    return rows


def _costs(curves: Curves) -> list[Row]:
    rows: list[Row] = []
    for point in (point for points in curves.values() for point in points):
        cost = point.cost
        counts = (cost.tokens, cost.prompt_tokens, cost.scored_tokens, cost.scored_states)
        rows.append(
            (
                point.strategy,
                str(point.budget),
                *map(format_count, counts),
                f"{cost.reward_model_requests:.1f}",
                f"{cost.executions:.1f}",
                "–" if cost.flops is None else f"{cost.flops / 1e9:.3g}",
                f"{cost.seconds:.2f}",
                "–" if cost.latency is None else f"{cost.latency:.2f}",
            )
        )
    return rows


def _settings_note(comparison: Comparison) -> str:
    return (
        f"What each strategy's option was set to on {comparison.header.calibrated_on} problems, what it spent there, and the "
        "rule that was best there, before the measured problems were searched."
    )


def _settings(curves: Curves) -> tuple[Row, list[Row]]:
    """Return head and rows of the table of settings."""
    rows: list[Row] = []
    for point in (point for points in curves.values() for point in points):
        setting = point.cells[0].setting
        budgets = ", ".join(map(str, point.cells[0].budgets))
        option = "as it is" if setting.option is None else f"{setting.option} {setting.value}"
        reached = "yes" if setting.is_reached else "no"
        spends = (f"{setting.spend:.0f}", f"{point.tokens:.0f}")
        rows.append((point.strategy, budgets, option, *spends, reached, setting.reading))
    head = ("strategy", "budgets", "setting", "tokens there", "tokens measured", "budget reached", "best rule there")
    return head, rows


def _points(curves: Curves) -> tuple[Row, list[Row]]:
    """Return head and rows of the table of the measured points."""
    readings = readings_of(curves)
    rows: list[Row] = []
    for point in (point for points in curves.values() for point in points):
        means = (point.accuracies.get(reading) for reading in readings)
        percents = ("–" if values is None else f"{100 * fmean(values):.1f}" for values in means)
        rows.append((point.strategy, f"{point.tokens:.0f}", *percents))
    return ("strategy", "tokens", *readings), rows


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0))
    for index, name in enumerate(head):
        is_text = name in ("strategy", "read by")
        grid.add_column(
            name, justify="left" if is_text else "right", no_wrap=True, max_width=14 if index == 0 else None
        )
    for row in rows:
        grid.add_row(*row)
    return grid


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]], words: Sequence[int] = (0,)) -> str:
    numbers = [index for index in range(len(head)) if index not in words]
    return markup.table(head, [tuple(escape(cell) for cell in row) for row in rows], numbers=numbers)


def _chart(curves: Curves, reading: str) -> str:
    """Return a chart with a line for each strategy that has the reading: accuracy by real tokens, with intervals."""
    series = []
    for index, (strategy, points) in enumerate(curves.items()):
        drawn = tuple(_point(point, reading) for point in points if reading in point.accuracies)
        if drawn:
            series.append(Series(strategy, drawn, index % 8))
    x = charts.log_axis(
        [point.x for line in series for point in line.points], "generated tokens a problem", short_number
    )
    ends = [end for line in series for point in line.points for end in (point.low or 0.0, point.high or 100.0)]
    title = "coverage (%)" if reading == COVERAGE else "accuracy (%)"
    return charts.lines(series, x, charts.axis(ends, title, lambda value: f"{value:g}", include_zero=False))


def _point(point: CurvePoint, reading: str) -> Point:
    accuracy = mean_of_shares(point.accuracies[reading])
    setting = point.cells[0].setting
    option = "" if setting.option is None else f", {setting.option} {setting.value}"
    return Point(
        max(point.tokens, 1e-3),  # the axis is logarithmic
        100 * accuracy.mean,
        low=100 * accuracy.low,
        high=100 * accuracy.high,
        tip=f"{point.strategy}{option}: {100 * accuracy.mean:.1f} % at {point.tokens:.0f} tokens",
    )
