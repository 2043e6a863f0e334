"""Line and bar charts as inline SVG: no script, no network, colours from the page's style sheet (light and dark).

Knows coordinates, ticks and labels; what the numbers mean is the page's business.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 520, 300
LEFT, RIGHT, TOP, BOTTOM, TITLE = 46, 20, 12, 24, 18
Format = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Point:
    """A value, where known with its interval; ``tip`` is shown when the pointer rests on it."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """A line. ``colour`` numbers the colours of the style sheet (classes s0 to s7)."""

    name: str
    points: tuple[Point, ...]
    colour: int


@dataclass(frozen=True, slots=True)
class Axis:
    """From ``low`` to ``high`` with labelled ``ticks``; ``log`` for a logarithmic axis (all values above 0)."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    title: str = ""
    log: bool = False

    def share(self, value: float) -> float:
        """Where ``value`` lies between low (0) and high (1)."""
        if self.log:
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (value - self.low) / (self.high - self.low)


def lines(
    series: Sequence[Series], x: Axis, y: Axis, *, markers: bool = True, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> str:
    """A line chart: bands for the intervals, then lines, then points. ``size`` in the units of the text's 12."""
    frame = _Frame(x, y, *size)
    parts = frame.grid()
    parts += [frame.band(one) for one in series]
    for one in series:
        points = " ".join(f"{frame.x(p.x):.1f},{frame.y(p.y):.1f}" for p in one.points)
        parts.append(f'<polyline class="line s{one.colour}" points="{points}"/>')
        parts += [frame.marker(one, point) for point in one.points] if markers else []
    label = f"{y.title} of {', '.join(one.name for one in series)} by {x.title}"
    return frame.svg(parts, label)


@dataclass(frozen=True, slots=True)
class Bar:
    """A stacked bar: a label and, bottom up, (colour, size, tip) pieces."""

    label: str
    pieces: tuple[tuple[int, float, str], ...]


def bars(stacks: Sequence[Bar], y: Axis) -> str:
    """A chart of stacked bars side by side."""
    x = Axis(0, len(stacks), tuple((index + 0.5, bar.label) for index, bar in enumerate(stacks)))
    frame = _Frame(x, y)
    parts = frame.grid(vertical=False)
    for index, bar in enumerate(stacks):
        left, right = frame.x(index + 0.22), frame.x(index + 0.78)
        base = 0.0
        for colour, size, tip in bar.pieces:
            top, bottom = frame.y(base + size), frame.y(base)
            parts.append(
                f'<rect class="bar s{colour}" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
                f'height="{max(bottom - top, 0):.1f}"><title>{escape(tip)}</title></rect>'
            )
            base += size
    return frame.svg(parts, f"{y.title} by {', '.join(bar.label for bar in stacks)}")


def legend(names: Sequence[tuple[str, int]]) -> str:
    """The key to the colours: (name, colour) pairs."""
    keys = "".join(f'<span class="key"><i class="s{colour}"></i>{escape(name)}</span>' for name, colour in names)
    return f'<div class="legend">{keys}</div>'


def axis(values: Sequence[float], title: str, form: Format, *, zero: bool = True, count: int = 5) -> Axis:
    """A linear axis with round ticks around ``values``."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    low = min(low, 0.0) if zero else low
    if high <= low:
        high = low + 1.0
    step = nice((high - low) / count)
    first, last = math.floor(low / step), math.ceil(high / step)
    ticks = tuple((index * step, form(index * step)) for index in range(first, last + 1))
    return Axis(first * step, last * step, ticks, title)


def log_axis(values: Sequence[float], title: str, form: Format) -> Axis:
    """A logarithmic axis with ticks at 1, 2 and 5 times powers of ten (powers alone over more than two decades)."""
    low, high = min(values), max(values)
    mantissas = (1, 2, 5) if high / low <= 100 else (1,)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    ticks = [mantissa * 10.0**power for power in powers for mantissa in mantissas]
    first = max(tick for tick in ticks if tick < low)
    last = min(tick for tick in ticks if tick > high)
    return Axis(first, last, tuple((t, form(t)) for t in ticks if first <= t <= last), title, log=True)


def nice(step: float) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that is at least ``step``."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * 0.999)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Places values on the canvas."""

    horizontal: Axis
    vertical: Axis
    width: int = WIDTH
    height: int = HEIGHT

    def svg(self, parts: Sequence[str], label: str) -> str:
        box = f'viewBox="0 0 {self.width} {self.height}"'
        return f'<svg {box} role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'

    def x(self, value: float) -> float:
        return LEFT + self.horizontal.share(value) * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return self.floor - self.vertical.share(value) * (self.floor - TOP)

    @property
    def floor(self) -> float:
        """Where the horizontal axis lies: higher up where a title stands below it."""
        return self.height - BOTTOM - (TITLE if self.horizontal.title else 0)

    def grid(self, *, vertical: bool = True) -> list[str]:
        """Grid lines, tick labels and axis titles."""
        floor, parts = self.floor, []
        for value, label in self.vertical.ticks:
            at = self.y(value)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{self.width - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
            parts.append(
                f'<text class="tick" x="{LEFT - 7}" y="{at + 3.5:.1f}" text-anchor="end">{escape(label)}</text>'
            )
        for value, label in self.horizontal.ticks:
            at = self.x(value)
            if vertical:
                parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{floor}"/>')
            text = f'<text class="tick" x="{at:.1f}" y="{floor + 16}" text-anchor="middle">{escape(label)}</text>'
            parts.append(text)
        middle = (LEFT + self.width - RIGHT) / 2
        title = escape(self.horizontal.title)
        parts.append(f'<text class="title" x="{middle}" y="{self.height - 6}" text-anchor="middle">{title}</text>')
        return parts

    def band(self, series: Series) -> str:
        """The area between the interval's ends; a single point gets a bar instead."""
        known = [(p.x, p.low, p.high) for p in series.points if p.low is not None and p.high is not None]
        if not known:
            return ""
        if len(known) == 1:
            x, low, high = known[0]
            at = f'x1="{self.x(x):.1f}" x2="{self.x(x):.1f}" y1="{self.y(low):.1f}" y2="{self.y(high):.1f}"'
            return f'<line class="whisker s{series.colour}" {at}/>'
        upper = [f"{self.x(x):.1f},{self.y(high):.1f}" for x, _, high in known]
        lower = [f"{self.x(x):.1f},{self.y(low):.1f}" for x, low, _ in reversed(known)]
        return f'<polygon class="band s{series.colour}" points="{" ".join(upper + lower)}"/>'

    def marker(self, series: Series, point: Point) -> str:
        at = f'cx="{self.x(point.x):.1f}" cy="{self.y(point.y):.1f}"'
        return f'<circle class="dot s{series.colour}" {at} r="4"><title>{escape(point.tip)}</title></circle>'
