"""An engine that serves nothing and says where it runs, for tests of placement: a Ray actor without vLLM."""

from __future__ import annotations

import ray

from actors.config import EngineConfig
from actors.engines.card_turn import card_turn
from actors.errors import EngineStartFailed
from search.data import ModelRef

BROKEN = "broken"  # a model of this path does not load


class PlacedEngine:
    """The methods of an engine that its manager calls, and ``where``: its node's address, id, and its GPUs."""

    def __init__(self, model: ModelRef, config: EngineConfig, name: str, *_: object) -> None:
        if model.path == BROKEN:
            raise EngineStartFailed("ValueError: no weights (node 10.0.0.9; log /logs/worker-1.err)")
        with card_turn(config):
            self.name = name

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    async def health(self) -> str:
        return self.name

    async def load(self, model: ModelRef) -> str:
        return self.name

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    async def stop(self) -> None:
        pass

    async def where(self) -> tuple[str, list[str]]:
        return ray.get_runtime_context().get_node_id(), [str(card) for card in ray.get_gpu_ids()]
