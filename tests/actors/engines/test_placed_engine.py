"""A real engine inside a placement group, and the cause of one that does not fit."""

from __future__ import annotations

from typing import Any

import pytest
import ray

from actors.config import EngineConfig
from actors.engines.base import SINGLE_PROCESS_EXECUTOR
from actors.engines.manager import EngineManager
from actors.errors import EngineStartFailed
from actors.placement.config import PlacementSettings
from actors.placement.placer import Placer
from search.data import ModelRef, Sampling

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_engine_in_a_placement_group_starts_no_ray_workers(
    local_ray: None, models: tuple[ModelRef, ModelRef], engine_config: EngineConfig
) -> None:
    """Inside a placement group vLLM takes its Ray executor unless it is told another one."""

    def describe(engine: Any) -> tuple[bool, str]:
        backend = engine._llm.vllm_config.parallel_config.distributed_executor_backend
        return ray.util.get_current_placement_group() is not None, str(backend)

    lines: list[str] = []
    placer = Placer(PlacementSettings(), lines.append)
    with EngineManager(engine_config, engine_config, placer=placer) as manager:
        (engine,) = manager.handles(models[0])
        assert ray.get(engine.__ray_call__.remote(describe)) == (True, SINGLE_PROCESS_EXECUTOR)
        groups = ray.util.placement_group_table().values()
        assert [len(group["bundles"]) for group in groups if group["state"] == "CREATED"] == [1]
        proposal = ray.get(engine.propose.remote(("abc",), (), 2, Sampling(max_tokens=8), 1, "key"))
        assert len(proposal.candidates) == 2
    assert [group["state"] for group in ray.util.placement_group_table().values()] == ["REMOVED"] and lines == []


def test_engine_without_room_for_its_cache_says_why(
    local_ray: None, models: tuple[ModelRef, ModelRef], engine_config: EngineConfig
) -> None:
    """vLLM's engine core, a process of its own, finds too little memory; the actor only hears that it failed."""
    tiny = engine_config.model_copy(update={"kv_cache_gib": 1e-4})
    cause = r"policy-0 could not start on .*: ValueError: .*KV cache.*\(node [\d.]+; log .*worker-.*\.err\)$"
    with EngineManager(tiny, tiny) as engines, pytest.raises(EngineStartFailed, match=cause):
        engines.start(models[0])
