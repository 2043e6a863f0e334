"""An engine actor of a benchmark's own, as the fleet starts its engines, gone at the end of the block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from actors.config import EngineConfig
from actors.engines.manager import CONTROL_CALLS, options
from actors.engines.policy import PolicyEngine
from search.data import ModelRef

CALL_S = 600.0  # for any call, its start included


@contextmanager
def started(kind: type[PolicyEngine], model: ModelRef, config: EngineConfig) -> Iterator[Any]:
    """The handle of a healthy engine of this kind."""
    actor = ray.remote(concurrency_groups={"control": CONTROL_CALLS})(kind)
    engine = actor.options(**options(model, config)).remote(model, config, kind.__name__)
    ray.get(engine.health.remote(), timeout=CALL_S)
    try:
        yield engine
        ray.get(engine.stop.remote(), timeout=CALL_S)
    finally:
        ray.kill(engine)
