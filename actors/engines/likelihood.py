"""Serve a language model as a reward model: its score is the log-likelihood of the solution given the question.

The method is V-STaR's (arXiv 2402.06457). A model directory declares this kind by the name of its one label.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from actors.engines.base import Engine
from actors.errors import BadScore, PromptTooLong
from search.data import ModelRef, Scores
from search.reward_models import KINDS, read_kind

TOO_LONG_SCORE = -1000.0  # nats, for a state too long for the model: far below any written solution

Segments = Sequence[tuple[str, bool]]  # text, and whether the policy wrote it


def is_likelihood_model(model: ModelRef) -> bool:
    """Return whether the reward model is a language model whose score is a log-likelihood."""
    kind = read_kind(Path(model.path))
    return kind is not None and KINDS[kind].is_language_model


class LikelihoodEngine(Engine):
    """Scores states by the sum of the log-probabilities of all tokens that the policy wrote, in nats."""

    runner: Literal["generate", "pooling"] = "generate"

    async def score_likelihood(
        self, states: Sequence[tuple[Segments, bool]], key: str, model: ModelRef | None = None
    ) -> Scores:
        """Return one log-likelihood a state, in order.

        A state is its segments and whether it is finished. In a finished one the end-of-sequence token counts as
        written by the policy. A state too long for the model scores TOO_LONG_SCORE and is counted. Raises BadScore
        where a log-likelihood is not finite, and WrongModel where ``model`` is given and is not the one served.
        """
        self._check_model(model)
        prompts = [self._tokenize(segments, is_finished) for segments, is_finished in states]
        with self._exit_if_engine_dead():
            logits = await asyncio.gather(
                *(self._log_likelihood(ids, mask, f"{key}/{i}") for i, (ids, mask) in enumerate(prompts))
            )
        prompt_tokens = sum(len(ids) for ids, _ in prompts)
        self._stats.prompt_tokens += prompt_tokens
        return Scores(tuple(logits), prompt_tokens, 0, self._model.version)

    def _tokenize(self, segments: Segments, is_finished: bool) -> tuple[list[int], list[bool]]:
        """Return the token ids of a state, and a mask of those that the policy wrote."""
        ids: list[int] = []
        mask: list[bool] = []
        for text, is_from_policy in segments:
            segment_ids = self._tokens.ids((text,))
            ids.extend(segment_ids)
            mask.extend([is_from_policy] * len(segment_ids))
        if is_finished and self._eos is not None:
            ids.append(self._eos)
            mask.append(True)
        return ids, mask

    async def _log_likelihood(self, ids: list[int], mask: list[bool], key: str) -> float:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        try:
            self._check_length(ids, 1, key)
        except PromptTooLong:
            return TOO_LONG_SCORE
        parameters = SamplingParams(
            max_tokens=1,
            temperature=0.0,
            prompt_logprobs=0,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        async for output in self._llm.generate({"type": "token", "prompt_token_ids": ids}, parameters, key):
            final = output
        total = math.fsum(
            logprobs[token].logprob
            for logprobs, token, is_from_policy in zip(final.prompt_logprobs, ids, mask, strict=True)
            if is_from_policy and logprobs is not None
        )
        if not math.isfinite(total):
            self._stats.failed += 1
            raise BadScore(f"{self._name}: the log-likelihood of request {key} is {total}: the weights are broken")
        return total
