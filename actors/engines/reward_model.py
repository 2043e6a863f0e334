"""Serve a reward model by vLLM: from rendered states to logits, as its adapter says (search/reward_models/).

An engine a way of reading: a classification head at the last token (here), the next token, the likelihood, judgements.
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from actors.config import EngineConfig
from actors.engines.base import Engine
from actors.errors import BadScore, PromptTooLong
from search.data import ModelRef, Scores
from search.reward_models import Reading, RenderedState, RewardAdapter
from search.reward_models.base import tag_id

if TYPE_CHECKING:
    from vllm.v1.engine.async_llm import AsyncLLM

TOO_LONG_LOGIT = -100.0  # for a state too long for the model; tanh maps it to -1


@dataclass(frozen=True, slots=True)
class StateScore:
    """The logit of a state, the tokens that it took, and how many of them the prefix cache had."""

    logit: float
    tokens: int
    cached: int = 0


class RewardEngine(Engine, ABC):
    """What the engines of all reward models share. ``adapter`` says how the outputs become a logit."""

    too_long_logit = TOO_LONG_LOGIT

    def __init__(self, model: ModelRef, config: EngineConfig, name: str, adapter: RewardAdapter) -> None:
        self._adapter = adapter
        super().__init__(model, config, name)
        self._tag_ids = {tag: tag_id(self._tokens, tag) for tag in adapter.tags}

    async def score(self, states: Sequence[RenderedState], key: str, model: ModelRef | None = None) -> Scores:
        """Return one logit a state, in order; ``key`` names the request.

        A state too long for the model scores ``too_long_logit`` and is counted: the policy could not go on from it either.
        Raises BadScore where a logit is not finite, and WrongModel where ``model`` is given and is not the one served.
        """
        self._check_model(model)
        with self._exit_if_engine_dead():
            scored = await asyncio.gather(
                *(self._score_if_it_fits(state, f"{key}/{i}") for i, state in enumerate(states))
            )
        scores = Scores(
            tuple(score.logit for score in scored),
            sum(score.tokens for score in scored),
            sum(score.cached for score in scored),
            self._model.version,
        )
        self._stats.prompt_tokens += scores.prompt_tokens
        self._stats.cached_tokens += scores.cached_tokens
        return scores

    async def _score_if_it_fits(self, state: RenderedState, key: str) -> StateScore:
        try:
            score = await self._score_state(state, key)
        except PromptTooLong:
            return StateScore(self.too_long_logit, 0)
        if not math.isfinite(score.logit):
            self._stats.failed += 1
            raise BadScore(
                f"{self._name}: the logit of request {key} is {score.logit}: the reward model's weights are broken"
            )
        return score

    @abstractmethod
    async def _score_state(self, state: RenderedState, key: str) -> StateScore:
        """Return the score of one state. Raises PromptTooLong."""

    def _arguments(self) -> dict[str, Any]:
        return super()._arguments() | dict(self._adapter.engine_options)


class RewardModelEngine(RewardEngine):
    """Scores states with a classification head, read at the last token: of the whole sequence, or of every token."""

    runner: Literal["generate", "pooling"] = "pooling"

    async def _score_state(self, state: RenderedState, key: str) -> StateScore:
        from vllm import PoolingParams

        ids = self._tokens.ids(state.pieces)
        if self._adapter.skips_padding:
            ids = without_padding(ids, self._llm.model_config.hf_config.pad_token_id)
        self._check_length(ids, 0, key)
        if self._adapter.reading is Reading.TOKEN_CLASSIFY:
            # Outputs of cached tokens are missing, which matters to nobody who reads the last one.
            parameters = PoolingParams(task="token_classify", use_activation=False, skip_reading_prefix_cache=False)
        else:
            parameters = PoolingParams(task="classify", use_activation=False)
        async for output in self._llm.encode({"type": "token", "prompt_token_ids": ids}, parameters, key):
            final = output
        data = final.outputs.data
        outputs = (data[-1] if self._adapter.reading is Reading.TOKEN_CLASSIFY else data).flatten().tolist()
        return StateScore(self._adapter.to_logit(outputs), len(ids), final.num_cached_tokens or 0)

    def _start(self) -> AsyncLLM:
        if self._adapter.value_head:
            from actors.engines import value_head  # it imports vLLM

            value_head.register(self._adapter.value_head)
        return super()._start()

    def _arguments(self) -> dict[str, Any]:
        from actors.engines.classifier import classifier_arguments  # it imports vLLM

        arguments = super()._arguments()
        return arguments | classifier_arguments(Path(self._model.path), arguments.get("hf_overrides", {}))


def without_padding(ids: list[int], pad: int | None) -> list[int]:
    """Return a prompt without the padding tokens at its end."""
    end = len(ids)
    while end > 1 and ids[end - 1] == pad:
        end -= 1
    return ids[:end]
