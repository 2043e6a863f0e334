"""Start one engine actor for a benchmark, with the options that the engine manager gives its engines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from actors.config import EngineConfig
from actors.engines.manager import CONTROL_CONCURRENCY, actor_options
from actors.engines.policy import PolicyEngine
from search.data import ModelRef

CALL_S = 600.0  # for any call, its start included


@contextmanager
def start_engine(engine_class: type[PolicyEngine], model: ModelRef, config: EngineConfig) -> Iterator[Any]:
    """Yield the handle of a healthy engine. It is stopped at the end of the block."""
    actor = ray.remote(concurrency_groups={"control": CONTROL_CONCURRENCY})(engine_class)
    engine = actor.options(**actor_options(model, config)).remote(model, config, engine_class.__name__)
    ray.get(engine.health.remote(), timeout=CALL_S)
    try:
        yield engine
        ray.get(engine.stop.remote(), timeout=CALL_S)
    finally:
        ray.kill(engine)
