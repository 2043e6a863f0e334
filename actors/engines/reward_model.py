"""Serve a reward model by vLLM's pooling: from segments of text to raw logits. The search maps logits to values."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Literal

from actors.engines.base import Engine
from actors.errors import BadScore, PromptTooLong
from search.data import ModelRef, Scores
from search.reward_models import to_logit

TOO_LONG_LOGIT = -100.0  # for a state too long for the model; tanh maps it to -1


class RewardModelEngine(Engine):
    """Scores states with a sequence classifier, read at the last token.

    It has one label, or a PRM's three, whose logits become the log-odds of "not incorrect" (search.reward_models).
    """

    runner: Literal["generate", "pooling"] = "pooling"

    async def score(self, states: Sequence[Sequence[str]], key: str, model: ModelRef | None = None) -> Scores:
        """Return one raw logit a state, in order; ``key`` names the request.

        A state too long for the model scores TOO_LONG_LOGIT and is counted: the policy could not go on from it either.
        Raises BadScore where a logit is not finite, and WrongModel where ``model`` is given and is not the one served.
        """
        self._check_model(model)
        prompts = [self._tokens.ids(segments) for segments in states]
        with self._exit_if_engine_dead():
            outputs = await asyncio.gather(*(self._score_prompt(ids, f"{key}/{i}") for i, ids in enumerate(prompts)))
        logits = tuple(logit for logit, _ in outputs)
        scores = Scores(logits, sum(map(len, prompts)), sum(cached for _, cached in outputs), self._model.version)
        self._stats.prompt_tokens += scores.prompt_tokens
        self._stats.cached_tokens += scores.cached_tokens
        return scores

    async def _score_prompt(self, ids: list[int], key: str) -> tuple[float, int]:
        """Return the logit after a prompt, and how many of its tokens the prefix cache had."""
        from vllm import PoolingParams

        try:
            self._check_length(ids, 0, key)
        except PromptTooLong:
            return TOO_LONG_LOGIT, 0
        parameters = PoolingParams(task="classify", use_activation=False)
        async for output in self._llm.encode({"type": "token", "prompt_token_ids": ids}, parameters, key):
            final = output
        logit = to_logit(final.outputs.data.flatten().tolist())
        if not math.isfinite(logit):
            self._stats.failed += 1
            raise BadScore(
                f"{self._name}: the logit of request {key} is {logit}: the reward model's weights are broken"
            )
        return logit, final.num_cached_tokens or 0
