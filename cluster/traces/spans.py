"""Read the spans that the workers of a search have stored (OTLP's JSON, a batch a line)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from search.concurrency.tracing import Activity
from search.storage.trace_folder import FOLDER, PATTERN, PLACES, REWARD_MODEL_PLACES, SHARE, span_files

NANOSECONDS = 1e9
ROUND = re.compile(r"r(\d+)")
AnyValue = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSpan:
    """A span. ``trace``: the id that it shares with all spans of its tree; ``start`` and ``end`` in nanoseconds of Unix time."""

    activity: Activity
    trace: str
    id: str
    parent: str | None
    start: int
    end: int
    attributes: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / NANOSECONDS


@dataclass(slots=True, kw_only=True)
class SearchTrace:
    """The spans of a search by their traces, and what is the same for all of them.

    ``share``: of the search's trees, those that were recorded. ``places``: sequences that all policy engines process at
    once; ``reward_model_places`` the same of reward models. ``damaged``: lines that cannot be read, as a killed worker
    leaves one. Spans of trees that were not finished, or whose worker died, have no tree and are left out.
    """

    trees: dict[str, list[StoredSpan]] = field(default_factory=dict)
    share: float = 1.0
    places: int = 0
    reward_model_places: int = 0
    damaged: int = 0

    def root(self, trace: str) -> StoredSpan:
        """Return the span of a tree as a whole."""
        return next(span for span in self.trees[trace] if span.activity is Activity.TREE)


def read_trace(directory: Path) -> SearchTrace:
    """Return the spans below a search's ``directory``; no trees where it was not recorded."""
    trace = SearchTrace()
    spans: dict[str, list[StoredSpan]] = {}
    for batch in read_batches(directory, trace):
        for part in batch["resourceSpans"]:
            facts = read_attributes(part["resource"]["attributes"])
            trace.share, trace.places = float(facts[SHARE]), int(facts[PLACES])
            trace.reward_model_places = int(facts[REWARD_MODEL_PLACES])
            for encoded in (encoded for scope in part["scopeSpans"] for encoded in scope["spans"]):
                span = read_span(encoded)
                spans.setdefault(span.trace, []).append(span)
    trace.trees = {
        name: members for name, members in spans.items() if any(span.activity is Activity.TREE for span in members)
    }
    return trace


def read_batches(directory: Path, trace: SearchTrace) -> Iterator[dict[str, Any]]:
    """Yield the lines of all span files of a search; count those in ``trace`` that are damaged."""
    for path in span_files(directory):
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    yield json.loads(line)
                except json.JSONDecodeError:
                    trace.damaged += 1


def read_span(encoded: Mapping[str, Any]) -> StoredSpan:
    """Return a span of OTLP's JSON."""
    return StoredSpan(
        activity=Activity(encoded["name"]),
        trace=encoded["traceId"],
        id=encoded["spanId"],
        parent=encoded.get("parentSpanId"),
        start=int(encoded["startTimeUnixNano"]),
        end=int(encoded["endTimeUnixNano"]),
        attributes=read_attributes(encoded["attributes"]),
    )


def read_attributes(encoded: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a list of OTLP's KeyValue as a mapping."""
    return {entry["key"]: read_value(entry["value"]) for entry in encoded}


def read_value(value: AnyValue) -> Any:
    """Return an AnyValue of OTLP's JSON as Python's value: 64-bit integers are strings there."""
    ((kind, content),) = value.items()
    return int(content) if kind == "intValue" else content


def traced_searches(root: Path) -> list[tuple[str, Path]]:
    """Return the names and directories of the searches below ``root`` that have spans, by round: ("r1/search", …).

    ``root``: a run directory, or the directory of a search.
    """
    base = root / "rounds" if (root / "rounds").is_dir() else root
    directories = {file.parent.parent for file in base.rglob(f"{FOLDER}/{PATTERN}")}
    named = [(directory.relative_to(base).as_posix(), directory) for directory in directories]
    return sorted(named, key=_order)


def _order(named: tuple[str, Path]) -> tuple[int, str]:
    first, _, rest = named[0].partition("/")
    match = ROUND.fullmatch(first)
    return int(match[1]) if match else -1, rest
