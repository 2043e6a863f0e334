"""Reading of stored spans: damaged lines, unfinished trees, the searches of a run."""

from __future__ import annotations

import json
from pathlib import Path

from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cluster.traces.export import export_spans
from cluster.traces.spans import read_trace, traced_searches
from tests.cluster.traces.made_up_trace import execute, generate, write_search


def test_line_that_a_killed_worker_left_is_counted(tmp_path: Path) -> None:
    path = write_search(tmp_path, {"p1": (0, 1, [generate(0, 1)])})
    path.write_text(path.read_text() + '{"resourceSpans": [{"resou')
    trace = read_trace(tmp_path)
    assert (len(trace.trees), trace.damaged, trace.places) == (1, 1, 4)


def test_spans_without_their_tree_are_left_out(tmp_path: Path) -> None:
    path = write_search(tmp_path, {"p1": (0, 1, [generate(0, 1)]), "p2": (0, 1, [generate(0, 1)])})
    content = json.loads(path.read_text())
    spans = content["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans.pop(0)  # the tree of p1 was not finished
    path.write_text(json.dumps(content))
    trace = read_trace(tmp_path)
    assert [trace.root(name).attributes["problem"] for name in trace.trees] == ["p2"]


def test_spans_of_all_workers_are_read(tmp_path: Path) -> None:
    for worker in range(3):
        write_search(tmp_path, {f"p{worker}": (0, 1, [])}, worker=worker)
    assert len(read_trace(tmp_path).trees) == 3


def test_searches_of_a_run_are_listed_by_round(tmp_path: Path) -> None:
    names = ["r10/search", "r2/search.partial", "r2/evaluate/heldout/greedy", "r1/search"]
    for name in names:
        write_search(tmp_path / "rounds" / name, {"p1": (0, 1, [])})
    (tmp_path / "rounds" / "r3" / "search").mkdir(parents=True)
    expected = ["r1/search", "r2/evaluate/heldout/greedy", "r2/search.partial", "r10/search"]
    assert [name for name, _ in traced_searches(tmp_path)] == expected
    assert traced_searches(tmp_path / "rounds" / "r1" / "search")[0][1] == tmp_path / "rounds" / "r1" / "search"


def test_exported_spans_are_one_document_of_otlp(tmp_path: Path) -> None:
    for worker in range(2):
        write_search(tmp_path, {f"p{worker}": (0, 1, [generate(0, 1), execute(0, 1)])}, worker=worker)
    output = tmp_path / "trace.json"
    assert export_spans(tmp_path, output, name="arithmetic/r1/search") == 6
    document = Parse(output.read_text(), ExportTraceServiceRequest())  # raises for a field that OTLP has not
    assert len(document.resource_spans) == 2
    facts = {fact.key: fact.value.string_value for fact in document.resource_spans[0].resource.attributes}
    assert facts["raystar.search"] == "arithmetic/r1/search"
    (chosen, *_) = read_trace(tmp_path).trees
    assert export_spans(tmp_path, output, name="x", traces=[chosen]) == 3
    assert len(Parse(output.read_text(), ExportTraceServiceRequest()).resource_spans) == 1
