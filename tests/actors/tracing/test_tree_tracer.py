"""Spans in the file of a worker: OTLP's JSON, a trace a tree, and only of the share that is recorded."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from actors.tracing.span_file import BATCH
from actors.tracing.tree_tracer import TreeTracer, is_recorded
from search.concurrency.tracing import Activity, span
from search.seeds import derive
from search.storage.trace_folder import span_files


def make_tracer(directory: Path, share: float = 1.0, worker: int = 0) -> TreeTracer:
    return TreeTracer(directory, worker, share=share, places=(256, 64))


def stored_spans(directory: Path) -> list[dict[str, Any]]:
    """Return the spans of all files below a search's directory, as they lie there."""
    lines = [line for path in span_files(directory) for line in path.read_text().splitlines()]
    parts = [part for line in lines for part in json.loads(line)["resourceSpans"]]
    return [encoded for part in parts for scope in part["scopeSpans"] for encoded in scope["spans"]]


async def test_spans_of_concurrent_tasks_lie_in_their_own_trees(tmp_path: Path) -> None:
    tracer = make_tracer(tmp_path)

    async def expand(node: int) -> None:
        with span(Activity.EXPAND, node=node):
            await asyncio.sleep(0)

    async def grow(problem: str) -> None:
        with tracer.tree(problem, 0, 1):
            await asyncio.gather(expand(1), expand(2))

    await asyncio.gather(grow("p1"), grow("p2"))
    tracer.close()
    spans = stored_spans(tmp_path)
    trees = {encoded["traceId"]: encoded for encoded in spans if encoded["name"] == "tree"}
    assert len(trees) == 2
    expansions = [encoded for encoded in spans if encoded["name"] == "expand"]
    assert len(expansions) == 4
    assert all(encoded["parentSpanId"] == trees[encoded["traceId"]]["spanId"] for encoded in expansions)
    assert all(int(encoded["startTimeUnixNano"]) <= int(encoded["endTimeUnixNano"]) for encoded in spans)


def test_lines_are_requests_of_otlp(tmp_path: Path) -> None:
    tracer = make_tracer(tmp_path)
    with tracer.tree("p1", 2, 1), span(Activity.GENERATE, role="policy", sequences=4, engine="policy-0"):
        pass
    tracer.close()
    (path,) = span_files(tmp_path)
    (line,) = path.read_text().splitlines()
    (part,) = Parse(line, ExportTraceServiceRequest()).resource_spans  # raises for a field that OTLP has not
    facts = {fact.key: fact.value for fact in part.resource.attributes}
    assert (facts["service.instance.id"].string_value, facts["raystar.policy_places"].int_value) == ("search-0", 256)
    generate, tree = part.scope_spans[0].spans
    assert [(fact.key, fact.value.int_value) for fact in tree.attributes] == [("problem", 0), ("number", 2)]
    assert {fact.key for fact in generate.attributes} == {"role", "sequences", "engine"}
    assert len(stored_spans(tmp_path)[0]["traceId"]) == 32


def test_failed_span_has_the_error_as_its_status(tmp_path: Path) -> None:
    tracer = make_tracer(tmp_path)
    with pytest.raises(RuntimeError), tracer.tree("p1", 0, 1):
        raise RuntimeError("the strategy broke")
    tracer.close()
    (tree,) = stored_spans(tmp_path)
    assert tree["status"] == {"code": 2, "message": "RuntimeError: the strategy broke"}


def test_spans_are_written_in_batches(tmp_path: Path) -> None:
    tracer = make_tracer(tmp_path)
    with tracer.tree("p1", 0, 1):
        for _ in range(BATCH + 5):
            with span(Activity.SELECT):
                pass
        assert len(stored_spans(tmp_path)) == BATCH
    tracer.close()
    assert len(stored_spans(tmp_path)) == BATCH + 6


def test_share_of_the_trees_is_recorded_by_their_seeds(tmp_path: Path) -> None:
    seeds = [derive("tree", number) for number in range(400)]
    recorded = {seed for seed in seeds if is_recorded(seed, 0.25)}
    assert 60 <= len(recorded) <= 140
    assert recorded <= {seed for seed in seeds if is_recorded(seed, 0.5)}
    assert all(is_recorded(seed, 1.0) for seed in seeds)
    tracer = make_tracer(tmp_path, share=0.25)
    for seed in seeds:
        with tracer.tree(f"p{seed}", 0, seed), span(Activity.SELECT):
            pass
    tracer.close()
    assert len(stored_spans(tmp_path)) == 2 * len(recorded)


def test_no_two_processes_write_to_one_file(tmp_path: Path) -> None:
    for _ in range(2):  # a worker that died, and the one that took its place
        make_tracer(tmp_path, worker=3).close()
    assert len(list(span_files(tmp_path))) == 2
