"""Write the spans of a made-up search: times are given, so that what its engines waited for can be worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors.tracing.span_file import encode_attributes
from search.concurrency.tracing import Activity
from search.storage.trace_folder import PLACES, REWARD_MODEL_PLACES, SHARE, new_span_file

SECOND = 10**9
BEGIN = 1_700_000_000 * SECOND  # Unix time (ns)
Row = tuple[Activity, float, float, dict[str, Any]]  # a span: what, from and to (s after the begin), attributes


def generate(start: float, end: float, sequences: int = 2) -> Row:
    return Activity.GENERATE, start, end, {"role": "policy", "sequences": sequences, "engine": "policy-0"}


def execute(start: float, end: float) -> Row:
    return Activity.EXECUTE, start, end, {"executor": "executor-0", "programs": 2}


def score(start: float, end: float, states: int = 2) -> Row:
    return Activity.SCORE, start, end, {"role": "reward_model", "sequences": states, "engine": "reward_model-0"}


def queue(start: float, end: float, role: str = "policy", sequences: int = 2) -> Row:
    return Activity.QUEUE, start, end, {"role": role, "sequences": sequences}


def write_search(
    directory: Path,
    trees: dict[str, tuple[float, float, Sequence[Row]]],
    *,
    places: int = 4,
    reward_model_places: int = 0,
    share: float = 1.0,
    worker: int = 0,
) -> Path:
    """Write the spans of ``trees``: by problem their begin, their end (s) and the spans in them. Return the file."""
    spans = []
    for number, (problem, (start, end, rows)) in enumerate(trees.items(), 1):
        root = (Activity.TREE, start, end, {"problem": problem, "number": 0})
        for place, (activity, begin, stop, attributes) in enumerate((root, *rows)):
            encoded = {
                "traceId": f"{worker:08x}{number:024x}",
                "spanId": f"{number * 1000 + place:016x}",
                "name": activity.value,
                "kind": 1,
                "startTimeUnixNano": str(BEGIN + round(begin * SECOND)),
                "endTimeUnixNano": str(BEGIN + round(stop * SECOND)),
                "attributes": encode_attributes(attributes),
            }
            parent = {"parentSpanId": f"{number * 1000:016x}"} if place else {}
            spans.append({**encoded, **parent})
    facts = {SHARE: share, PLACES: places, REWARD_MODEL_PLACES: reward_model_places}
    part = {"resource": {"attributes": encode_attributes(facts)}, "scopeSpans": [{"scope": {}, "spans": spans}]}
    path = new_span_file(directory, worker)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"resourceSpans": [part]}) + "\n")
    return path
