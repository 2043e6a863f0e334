"""Write the spans of a search as one document of OTLP's JSON, which Jaeger's page and every collector take."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from cluster.traces.spans import SearchTrace, read_batches
from search.storage.files import write_text


def export_spans(directory: Path, output: Path, *, name: str, traces: Collection[str] | None = None) -> int:
    """Write the spans of the search in ``directory`` to ``output``; return how many there are.

    ``name``: of run and search, which each resource then carries. ``traces``: ids of the only trees to write.
    """
    parts = [part for batch in read_batches(directory, SearchTrace()) for part in batch["resourceSpans"]]
    count = 0
    for part in parts:
        part["resource"]["attributes"].append({"key": "raystar.search", "value": {"stringValue": name}})
        for scope in part["scopeSpans"]:
            scope["spans"] = [span for span in scope["spans"] if traces is None or span["traceId"] in traces]
            count += len(scope["spans"])
    document: dict[str, Any] = {"resourceSpans": [part for part in parts if part["scopeSpans"][0]["spans"]]}
    write_text(output, json.dumps(document) + "\n")
    return count
