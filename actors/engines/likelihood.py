"""Serve a language model as a reward model by its log-likelihood of the solution given the question.

The likelihood itself is V-STaR's score (arXiv 2402.06457); its ratio to that of a reference model is an implicit process
reward (arXiv 2412.01981). The reference runs in an engine core of its own beside the model's.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import ray

from actors.config import EngineConfig
from actors.engines.base import engine_arguments
from actors.engines.card_turn import card_turn
from actors.engines.reward_model import RewardEngine, StateScore
from search.data import ModelRef
from search.reward_models import RenderedState, RewardAdapter

if TYPE_CHECKING:
    from vllm.v1.engine.async_llm import AsyncLLM

TOO_LONG_SCORE = -1000.0  # nats, for a state too long for the model: far below any written solution


class LikelihoodEngine(RewardEngine):
    """Scores states by the summed log-probabilities of the tokens that count, in nats, less those of the reference."""

    runner: Literal["generate", "pooling"] = "generate"

    def __init__(self, model: ModelRef, config: EngineConfig, name: str, adapter: RewardAdapter) -> None:
        self._reference: AsyncLLM | None = None
        if adapter.reference is None:
            self.too_long_logit = TOO_LONG_SCORE
        else:
            halves = {"gpu_memory_utilization": config.memory_share / 2, "kv_cache_gib": config.kv_cache_gib / 2}
            config = config.model_copy(update=halves)
        super().__init__(model, config, name, adapter)
        if adapter.reference is not None:
            reference = replace(model, path=adapter.reference)
            with card_turn(config):
                self._reference = self._launch(engine_arguments(reference, config, self.runner))

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    async def health(self) -> str:
        """Return the engine's name once both models can be asked."""
        with self._exit_if_engine_dead():
            await self._llm.check_health()
            if self._reference is not None:
                await self._reference.check_health()
        return self._name

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    async def stop(self) -> None:
        """Stop the engine cores of both models and free their memory; the engine manager ends the actor."""
        for llm in filter(None, (self._llm, self._reference)):
            llm.shutdown(timeout=0)

    async def _score_state(self, state: RenderedState, key: str) -> StateScore:
        ids, is_scored = self._tokenize(state)
        self._check_length(ids, 1, key)
        models = [self._llm] if self._reference is None else [self._llm, self._reference]
        totals = await asyncio.gather(*(log_likelihood(llm, ids, is_scored, key) for llm in models))
        total = totals[0] - (totals[1] if len(totals) > 1 else 0.0)
        return StateScore(self._adapter.to_logit([total]), len(ids))

    def _tokenize(self, state: RenderedState) -> tuple[list[int], list[bool]]:
        """Return the token ids of a state, and which of them count."""
        ids: list[int] = []
        is_scored: list[bool] = []
        by_piece = self._tokens.ids_by_piece(state.pieces)
        for piece_ids, counts in zip(by_piece, state.is_scored, strict=True):
            ids.extend(piece_ids)
            is_scored.extend([counts] * len(piece_ids))
        if state.is_finished and self._eos is not None:
            ids.append(self._eos)
            is_scored.append(True)
        return ids, is_scored


async def log_likelihood(llm: AsyncLLM, ids: list[int], is_scored: list[bool], key: str) -> float:
    """Return the sum of the log-probabilities of the tokens of a prompt that count, each given those before it."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    parameters = SamplingParams(
        max_tokens=1,
        temperature=0.0,
        prompt_logprobs=0,
        detokenize=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )
    async for output in llm.generate({"type": "token", "prompt_token_ids": ids}, parameters, key):
        final = output
    positions: list[Mapping[int, Any] | None] = final.prompt_logprobs
    return math.fsum(
        logprobs[token].logprob
        for logprobs, token, counts in zip(positions, ids, is_scored, strict=True)
        if counts and logprobs is not None
    )
