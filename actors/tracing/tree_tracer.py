"""Record the spans of some of a worker's trees by OpenTelemetry, a trace a tree.

Which trees are recorded follows from their seeds, so that it is the same ones in every repetition of a search, and the traces of
all workers together are a sample of the whole search. Nothing of this is in any message: a span that waits for an engine
or an executor is measured where the request is sent.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from actors.tracing.span_file import SCOPE, SpanFile
from search.concurrency.tracing import Activity, Attribute, recording, span
from search.seeds import derive
from search.storage.trace_folder import PLACES, REWARD_MODEL_PLACES, SHARE, new_span_file

LAST_SEED = 1 << 63  # seeds are below


class SystemIds(IdGenerator):
    """Ids from the system's randomness: those of the library take numbers from the generator that all Python code shares."""

    def generate_span_id(self) -> int:
        return secrets.randbits(64) or 1

    def generate_trace_id(self) -> int:
        return secrets.randbits(128) or 1


class TreeTracer:
    """Records the spans of ``share`` of one worker's trees in a new file, ``path``, below the search's ``directory``.

    ``places``: sequences that all policy engines, and states that all reward models, process at once. They stand with each
    span, so that a reader of the file can tell how much of them was used.
    """

    def __init__(self, directory: Path, worker: int, *, share: float, places: tuple[int, int]) -> None:
        self._share, self.path = share, new_span_file(directory, worker)
        attributes: Mapping[str, Attribute] = {
            "service.name": "raystar",
            "service.instance.id": f"search-{worker}",
            "host.name": socket.gethostname(),
            SHARE: share,
            PLACES: places[0],
            REWARD_MODEL_PLACES: places[1],
        }
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=Resource(attributes), id_generator=SystemIds(), shutdown_on_exit=False
        )
        self._provider.add_span_processor(SimpleSpanProcessor(SpanFile(self.path)))
        self._tracer = self._provider.get_tracer(SCOPE)

    @contextmanager
    def tree(self, problem: str, number: int, seed: int) -> Iterator[None]:
        """Record the block as the trace of a tree, if the tree with this seed is one of those that are recorded."""
        if not is_recorded(seed, self._share):
            yield
            return
        with recording(self._record), span(Activity.TREE, problem=problem, number=number):
            yield

    def close(self) -> None:
        """Write the spans that are not written yet, and close the file."""
        self._provider.shutdown()

    def _record(self, activity: Activity, attributes: Mapping[str, Attribute]) -> AbstractContextManager[object]:
        return self._tracer.start_as_current_span(activity.value, attributes=attributes, record_exception=False)


def is_recorded(seed: int, share: float) -> bool:
    """Return whether the tree with a seed is one of the recorded ``share``. A tree of 10 % is one of 20 % too."""
    return derive(seed, "trace") < share * LAST_SEED
