"""Real vLLM engines load other weights while they run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ray.exceptions import RayTaskError

from actors.engines.manager import EngineManager
from actors.pools.engine_pool import PolicyPool
from search.data import ModelRef, Sampling
from search.formats.code_format import CodeFormat
from tests.actors.engines.test_engines import CONFIG, STATES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


async def test_engine_serves_reloaded_weights(
    engine_manager: EngineManager, models: tuple[ModelRef, ModelRef], others: tuple[ModelRef, ModelRef], words: Any
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    async def greedy(model: ModelRef) -> list[tuple[int, ...]]:
        pool = PolicyPool(engine_manager.handles(model), CodeFormat(), CONFIG, model)
        proposals = await asyncio.gather(*(pool.propose(s, 1, Sampling(0, max_tokens=12), 1) for s in STATES))
        assert {proposal.version for proposal in proposals} == {model.version}
        return [proposal.candidates[0].token_ids for proposal in proposals]

    before, handles = await greedy(models[0]), engine_manager.handles(models[0])
    after = await greedy(others[0])
    assert engine_manager.handles(others[0]) == handles  # the same engines
    reference = AutoModelForCausalLM.from_pretrained(others[0].path, dtype=torch.float32).eval()
    for state, served in zip(STATES, after, strict=True):
        ids = [i for s in CodeFormat().segments(state) for i in words.encode(s.text, add_special_tokens=False)]
        with torch.inference_mode():
            logits = reference(torch.tensor([[*ids, *served]])).logits[0, len(ids) - 1 : -1]
        served_logits = logits.gather(1, torch.tensor([served]).T)[:, 0]
        assert (
            logits.max(1).values - served_logits
        ).max() < 1e-3  # every token is the reference's choice, or ties with it
    assert sum(a != b for a, b in zip(before, after, strict=True)) > 10
    with pytest.raises(RayTaskError, match=r"serves .*others.*, the request is for"):
        await handles[0].propose.remote(("x",), ("a",), 1, Sampling(max_tokens=2), 1, "stray", models[0])
    assert await greedy(models[0]) == before


async def test_request_in_flight_ends_with_the_old_weights(
    engine_manager: EngineManager, models: tuple[ModelRef, ModelRef], others: tuple[ModelRef, ModelRef]
) -> None:
    engine = engine_manager.handles(models[0])[0]

    def greedy(key: str) -> Any:
        return engine.propose.remote(("abcdefgh",), (), 1, Sampling(0, max_tokens=300), 1, key)

    alone = await greedy("alone")
    running = greedy("running")
    await asyncio.sleep(0.05)
    await engine.load.remote(others[0])
    assert (await running).candidates == alone.candidates
    assert (await greedy("later")).candidates != alone.candidates
    engine_manager.start(others[0])  # the manager's record of what the engine serves
    engine_manager.start(models[0])
    assert (await greedy("back")).candidates == alone.candidates
