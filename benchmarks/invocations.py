"""Open a context for a benchmark in a directory of its own, which is removed with it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cluster.config.run_config import RunConfig
from cluster.run.context import Context, Invocation, open_context
from search.problems.loading import ProblemSets


@contextmanager
def benchmark_context(config: RunConfig, problems: ProblemSets, shots: Sequence[str] = ()) -> Iterator[Context]:
    """Yield the context of a run with a checked config. ``shots``: worked examples for models that need them."""
    with tempfile.TemporaryDirectory(prefix="raystar-benchmark-") as work:
        invocation = Invocation(
            command="benchmark",
            config=config,
            root=Path(work) / "run",
            address=None,
            problems=problems,
            shots=tuple(shots),
        )
        with open_context(invocation) as context:
            yield context
