"""Write spans as lines of OTLP's JSON (OpenTelemetry, "Protocol File Exporter"), which collectors and Jaeger read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

SCOPE = "raystar"
INTERNAL_KIND, ERROR_CODE = 1, 2  # numbers of SPAN_KIND_INTERNAL and STATUS_CODE_ERROR in OTLP
BATCH = 128  # spans of a line; a process that is killed loses at most as many


class SpanFile(SpanExporter):
    """A new file that spans are written to, BATCH of them a line. ``shutdown`` writes the rest."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("xb")
        self._spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take ended spans, and write them once there are BATCH."""
        self._spans += spans
        if len(self._spans) >= BATCH:
            self._write()
        return SpanExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Write the spans that are not written yet."""
        self._write()
        return True

    def shutdown(self) -> None:
        """Write the rest and close the file."""
        if not self._file.closed:
            self._write()
            self._file.close()

    def _write(self) -> None:
        if self._spans:
            self._file.write(json.dumps(encode_spans(self._spans), separators=(",", ":")).encode() + b"\n")
            self._file.flush()
            self._spans = []


def encode_spans(spans: Sequence[ReadableSpan]) -> dict[str, Any]:
    """Return spans of one resource as an ExportTraceServiceRequest of OTLP's JSON."""
    resource = {"attributes": encode_attributes(spans[0].resource.attributes)}
    scope = {"scope": {"name": SCOPE}, "spans": [encode_span(span) for span in spans]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}


def encode_span(span: ReadableSpan) -> dict[str, Any]:
    """Return an ended span as a Span of OTLP's JSON: ids in hexadecimal digits, 64-bit numbers as strings."""
    encoded: dict[str, Any] = {
        "traceId": format_trace_id(span.context.trace_id),
        "spanId": format_span_id(span.context.span_id),
        "name": span.name,
        "kind": INTERNAL_KIND,
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": encode_attributes(span.attributes or {}),
    }
    if span.parent is not None:
        encoded["parentSpanId"] = format_span_id(span.parent.span_id)
    if span.status.status_code is StatusCode.ERROR:
        encoded["status"] = {"code": ERROR_CODE, "message": span.status.description or ""}
    return encoded


def encode_attributes(attributes: Any) -> list[dict[str, Any]]:
    """Return attributes as the list of OTLP's KeyValue."""
    return [{"key": key, "value": encode_value(value)} for key, value in attributes.items()]


def encode_value(value: str | int | float | bool) -> dict[str, Any]:
    """Return a value as OTLP's AnyValue."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": str(value)}
