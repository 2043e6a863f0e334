"""Draw the spans of one tree in the terminal, one below the other, each where it lies in time.

rollout 0            1.24 s  ████████████████
  select              12 us  ▏
  expand 0          410.2 ms ██████
    generate        380.0 ms █████             policy-0, 4 sequences
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from cluster.traces.spans import StoredSpan
from cluster.traces.text import format_short
from search.concurrency.tracing import Activity

NAME, DURATION, TIME = 26, 10, 42  # columns
NUMBERED = {Activity.ROLLOUT: "number", Activity.EXPAND: "node"}  # attribute that stands behind the name of a span
WHO = {Activity.GENERATE: "engine", Activity.SCORE: "engine", Activity.EXECUTE: "executor"}


def waterfall(spans: Sequence[StoredSpan], lines: int) -> Iterator[str]:
    """Yield at most ``lines`` spans of a tree in the order of their begins, children below their parents."""
    root = next(span for span in spans if span.activity is Activity.TREE)
    children: dict[str | None, list[StoredSpan]] = {}
    for span in sorted(spans, key=lambda span: span.start):
        children.setdefault(span.parent, []).append(span)
    yield f"{'':<{NAME + DURATION}}  0{format_short(root.seconds):>{TIME - 1}}"
    for span, depth in islice(_descend(root, children, 0), lines):
        name = f"{'  ' * depth}{_label(span)}"
        yield f"{name:<{NAME}.{NAME}}{format_short(span.seconds):>{DURATION}}  {_place(span, root)}".rstrip()
    if (hidden := len(spans) - lines) > 0:
        yield f"… {hidden} more spans: --lines {len(spans)} draws all"


def _descend(
    span: StoredSpan, children: dict[str | None, list[StoredSpan]], depth: int
) -> Iterator[tuple[StoredSpan, int]]:
    yield span, depth
    for child in children.get(span.id, ()):
        yield from _descend(child, children, depth + 1)


def _label(span: StoredSpan) -> str:
    """Return the name of a span with what tells it from its likes: "expand 3", "generate policy-0"."""
    name = span.activity.replace("_", " ")
    attribute = NUMBERED.get(span.activity) or WHO.get(span.activity)
    return f"{name} {span.attributes.get(attribute, '')}".strip() if attribute else name


def _place(span: StoredSpan, root: StoredSpan) -> str:
    """Return the columns of a span's time within its tree's; at least one sign."""
    whole = max(1, root.end - root.start)
    begin = min(TIME - 1, round((span.start - root.start) / whole * TIME))
    end = min(TIME, max(begin, round((span.end - root.start) / whole * TIME)))
    return " " * begin + ("█" * (end - begin) or "▏")
