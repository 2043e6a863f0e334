"""The reward_model: segments of text in, raw reward logits out. Knows vLLM's pooling; squashing belongs to the search."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Literal

from actors.engines.base import Engine
from actors.errors import BadScore, PromptTooLong
from search.data import ModelRef, Scores
from search.reward_models import one_logit

HOPELESS = -100.0  # the logit of a state that cannot be read: -1 once squashed


class RewardModelEngine(Engine):
    """Judges states with a sequence classifier, read at the last token.

    It has one label, or a PRM's three, of which the log-odds of "not wrong" are the one number (search.reward_models).
    """

    runner: Literal["generate", "pooling"] = "pooling"

    async def score(self, states: Sequence[Sequence[str]], key: str, model: ModelRef | None = None) -> Scores:
        """One raw logit a state, in order; ``key`` names the request. Raises BadScore where a logit is not finite,
        and WrongModel where ``model`` is given and not the one served.

        A state too long for the model is given HOPELESS and counted: the policy could not go on from it either.
        """
        self._serves(model)
        prompts = [self._tokens.ids(segments) for segments in states]
        with self._mortal():
            answers = await asyncio.gather(*(self._one(ids, f"{key}/{i}") for i, ids in enumerate(prompts)))
        logits = tuple(logit for logit, _ in answers)
        scores = Scores(logits, sum(map(len, prompts)), sum(cached for _, cached in answers), self._model.version)
        self._prompt += scores.prompt_tokens
        self._cached += scores.cached_tokens
        return scores

    async def _one(self, ids: list[int], key: str) -> tuple[float, int]:
        from vllm import PoolingParams

        try:
            self._fit(ids, 0, key)
        except PromptTooLong:
            return HOPELESS, 0
        parameters = PoolingParams(task="classify", use_activation=False)
        async for answer in self._llm.encode({"type": "token", "prompt_token_ids": ids}, parameters, key):
            last = answer
        logit = one_logit(last.outputs.data.flatten().tolist())
        if not math.isfinite(logit):
            self._failed += 1
            raise BadScore(
                f"{self._name}: the logit of request {key} is {logit}: the reward model's weights are broken"
            )
        return logit, last.num_cached_tokens or 0
