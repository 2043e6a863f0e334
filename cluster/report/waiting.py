"""Plot what the policy engines of recorded searches waited for, from the measures beside their spans."""

from __future__ import annotations

from html import escape

from cluster.formatting import format_duration
from cluster.report import charts, markup
from cluster.report.charts import Axis, Point, Series
from cluster.report.data import RunData
from cluster.traces.record import Use, Waiting, read_waiting
from cluster.traces.spans import traced_searches
from cluster.traces.text import WAITED_FOR, format_short

ALONE = (1080, 300)  # size of a single plot, which has the width of the page
PLOTTED = 6  # searches with a plot: those that took longest
COLOURS = {use: colour for colour, use in enumerate(Use)}
HEADS = {  # of the table, in the words of the legend
    Use.GENERATING: "in use",
    Use.PROGRAMS: "programs",
    Use.SCORES: "scores",
    Use.GRADES: "grades",
    Use.WORKER: "workers",
    Use.ROUTER: "beside full",
    Use.TREES: "few trees",
}
NOTE = (
    "Of the policy engines' places for sequences the share that was in use, and what the others waited for: rollouts that were at "
    "an executor, at a reward model, at the grader or in a search worker would have filled them. What is left had no rollout to "
    "wait for: more trees at once would use it. raystar trace draws single trees."
)


def section(run: RunData) -> str:
    """Return a plot for each recorded search, and a table of what its trees did; empty if none was recorded."""
    measured = {
        name: waiting for name, path in traced_searches(run.root) if (waiting := read_waiting(path)) is not None
    }
    if not measured:
        return ""
    longest = sorted(measured, key=lambda name: -measured[name].seconds)[:PLOTTED]
    size = ALONE if len(longest) == 1 else (charts.WIDTH, charts.HEIGHT)
    cards = [_plot(name, measured[name], size) for name in measured if name in longest]
    seen = {use for waiting in measured.values() for use in waiting.uses}
    legend = charts.legend([(WAITED_FOR[use], COLOURS[use]) for use in Use if use in seen])
    tables = [markup.foldable(f"Spans of {name}", _spans(measured[name])) for name in measured if name in longest]
    return markup.section("What the engines waited for", NOTE, legend, markup.grid(cards), _table(measured), *tables)


def _plot(name: str, waiting: Waiting, size: tuple[int, int]) -> str:
    """Return a plot of the uses of the places over a search's time, in parts of equal length."""
    width = waiting.seconds / len(waiting.parts)
    layers = [
        Series(
            f"{WAITED_FOR[use]}: {100 * waiting.uses[use]:.1f} %",
            tuple(Point((i + 0.5) * width, 100 * part.get(use, 0.0)) for i, part in enumerate(waiting.parts)),
            COLOURS[use],
        )
        for use in Use
        if use in waiting.uses
    ]
    x = charts.axis([waiting.seconds], "seconds", lambda value: f"{value:g}")
    y = Axis(low=0, high=100, ticks=tuple((tick, f"{tick}") for tick in range(0, 101, 20)), title="places (%)")
    return markup.card(charts.areas(layers, x, y, size=size), f"{name}: {waiting.places} places (%)")


def _table(measured: dict[str, Waiting]) -> str:
    uses = [use for use in Use if any(use in waiting.uses for waiting in measured.values())]
    head = ("search", "trees", "time", *(HEADS[use] for use in uses), "reward models")
    rows = [
        (
            escape(name),
            f"{waiting.trees}" if waiting.share == 1 else f"{waiting.trees}<small>{100 * waiting.share:g} %</small>",
            format_duration(waiting.seconds),
            *(f"{100 * waiting.uses.get(use, 0.0):.1f} %" for use in uses),
            "–" if waiting.reward_model_use is None else f"{100 * waiting.reward_model_use:.1f} %",
        )
        for name, waiting in measured.items()
    ]
    return markup.table(head, rows, numbers=range(1, len(head)))


def _spans(waiting: Waiting) -> str:
    rows = [
        (
            escape(activity.replace("_", " ")),
            str(totals.spans),
            f"{totals.seconds:.1f}",
            format_short(totals.mean),
            format_short(totals.late),
        )
        for activity, totals in waiting.activities.items()
    ]
    head = ("activity", "spans", "seconds in all", "mean", "95 % within")
    return markup.table(head, rows, numbers=range(1, len(head)))
