"""Draw line and bar charts as inline SVG. Colours come from the page's style sheet (light and dark)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from html import escape

WIDTH, HEIGHT = 520, 300
LEFT, RIGHT, TOP, BOTTOM, TITLE = 46, 20, 12, 24, 18
Format = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Point:
    """A point with an optional interval. ``tip`` is shown while the pointer rests on it."""

    x: float
    y: float
    _: KW_ONLY
    low: float | None = None
    high: float | None = None
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """A line. ``colour`` is the number of a class of the style sheet, s0 to s7."""

    name: str
    points: tuple[Point, ...]
    colour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An axis from ``low`` to ``high`` with (value, label) ``ticks``. ``log``: logarithmic, for values above 0."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    title: str = ""
    log: bool = False

    def share(self, value: float) -> float:
        """Return the position of ``value`` between low (0) and high (1)."""
        if self.log:
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (value - self.low) / (self.high - self.low)


def lines(
    series: Sequence[Series], x: Axis, y: Axis, *, markers: bool = True, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> str:
    """Return a line chart: bands for the intervals, then lines, then markers.

    ``size``: width and height in SVG user units. Text is 12 units high.
    """
    frame = _Frame(x, y, *size)
    parts = frame.grid()
    parts += [frame.band(line) for line in series]
    for line in series:
        points = " ".join(f"{frame.x(p.x):.1f},{frame.y(p.y):.1f}" for p in line.points)
        parts.append(f'<polyline class="line s{line.colour}" points="{points}"/>')
        parts += [frame.marker(line, point) for point in line.points] if markers else []
    label = f"{y.title} of {', '.join(line.name for line in series)} by {x.title}"
    return frame.svg(parts, label)


@dataclass(frozen=True, slots=True)
class Bar:
    """A stacked bar with a label. ``pieces`` are (colour, size, tip), bottom up."""

    label: str
    pieces: tuple[tuple[int, float, str], ...]


def bars(stacks: Sequence[Bar], y: Axis) -> str:
    """Return a chart of stacked bars, side by side."""
    x = Axis(low=0, high=len(stacks), ticks=tuple((index + 0.5, bar.label) for index, bar in enumerate(stacks)))
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


def areas(layers: Sequence[Series], x: Axis, y: Axis, *, size: tuple[int, int] = (WIDTH, HEIGHT)) -> str:
    """Return a chart of areas stacked on each other. All layers have points at the same x; their y is their height."""
    frame = _Frame(x, y, *size)
    parts = frame.grid(vertical=False)
    base = [0.0] * max((len(layer.points) for layer in layers), default=0)
    for layer in layers:
        top = [low + point.y for low, point in zip(base, layer.points, strict=True)]
        xs = [frame.x(point.x) for point in layer.points]
        upper = [f"{at:.1f},{frame.y(high):.1f}" for at, high in zip(xs, top, strict=True)]
        lower = [f"{at:.1f},{frame.y(low):.1f}" for at, low in zip(reversed(xs), reversed(base), strict=True)]
        outline = " ".join(upper + lower)
        parts.append(
            f'<polygon class="bar s{layer.colour}" points="{outline}"><title>{escape(layer.name)}</title></polygon>'
        )
        base = top
    return frame.svg(parts, f"{y.title} by {x.title}: {', '.join(layer.name for layer in layers)}")


def legend(names: Sequence[tuple[str, int]]) -> str:
    """Return the legend of (name, colour) pairs."""
    keys = "".join(f'<span class="key"><i class="s{colour}"></i>{escape(name)}</span>' for name, colour in names)
    return f'<div class="legend">{keys}</div>'


def axis(values: Sequence[float], title: str, form: Format, *, include_zero: bool = True, intervals: int = 5) -> Axis:
    """Return a linear axis around ``values`` with round ticks, about ``intervals`` steps apart."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    low = min(low, 0.0) if include_zero else low
    if high <= low:
        high = low + 1.0
    step = round_up((high - low) / intervals)
    first, last = math.floor(low / step), math.ceil(high / step)
    ticks = tuple((index * step, form(index * step)) for index in range(first, last + 1))
    return Axis(low=first * step, high=last * step, ticks=ticks, title=title)


def log_axis(values: Sequence[float], title: str, form: Format) -> Axis:
    """Return a logarithmic axis with ticks at 1, 2 and 5 times powers of ten; over two decades at the powers alone."""
    low, high = min(values), max(values)
    mantissas = (1, 2, 5) if high / low <= 100 else (1,)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    ticks = [mantissa * 10.0**power for power in powers for mantissa in mantissas]
    first = max(tick for tick in ticks if tick < low)
    last = min(tick for tick in ticks if tick > high)
    labelled = tuple((tick, form(tick)) for tick in ticks if first <= tick <= last)
    return Axis(low=first, high=last, ticks=labelled, title=title, log=True)


def round_up(step: float) -> float:
    """Return the smallest of 1, 2, 2.5 and 5 times a power of ten that is at least ``step``."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * 0.999)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The canvas of a chart: maps values to coordinates and draws parts."""

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
        """The y coordinate of the horizontal axis, which leaves room for its tick labels and title."""
        return self.height - BOTTOM - (TITLE if self.horizontal.title else 0)

    def grid(self, *, vertical: bool = True) -> list[str]:
        """Return grid lines, tick labels and the horizontal axis's title."""
        floor, parts = self.floor, []
        for value, label in self.vertical.ticks:
            y = self.y(value)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{self.width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(
                f'<text class="tick" x="{LEFT - 7}" y="{y + 3.5:.1f}" text-anchor="end">{escape(label)}</text>'
            )
        for value, label in self.horizontal.ticks:
            x = self.x(value)
            if vertical:
                parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{floor}"/>')
            text = f'<text class="tick" x="{x:.1f}" y="{floor + 16}" text-anchor="middle">{escape(label)}</text>'
            parts.append(text)
        middle = (LEFT + self.width - RIGHT) / 2
        title = escape(self.horizontal.title)
        parts.append(f'<text class="title" x="{middle}" y="{self.height - 6}" text-anchor="middle">{title}</text>')
        return parts

    def band(self, series: Series) -> str:
        """Return the area between the ends of the intervals; for a single interval a bar."""
        intervals = [(p.x, p.low, p.high) for p in series.points if p.low is not None and p.high is not None]
        if not intervals:
            return ""
        if len(intervals) == 1:
            x, low, high = intervals[0]
            ends = f'x1="{self.x(x):.1f}" x2="{self.x(x):.1f}" y1="{self.y(low):.1f}" y2="{self.y(high):.1f}"'
            return f'<line class="whisker s{series.colour}" {ends}/>'
        upper = [f"{self.x(x):.1f},{self.y(high):.1f}" for x, _, high in intervals]
        lower = [f"{self.x(x):.1f},{self.y(low):.1f}" for x, low, _ in reversed(intervals)]
        return f'<polygon class="band s{series.colour}" points="{" ".join(upper + lower)}"/>'

    def marker(self, series: Series, point: Point) -> str:
        centre = f'cx="{self.x(point.x):.1f}" cy="{self.y(point.y):.1f}"'
        return f'<circle class="dot s{series.colour}" {centre} r="4"><title>{escape(point.tip)}</title></circle>'
