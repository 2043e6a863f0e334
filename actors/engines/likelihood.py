"""A language model as a judge: the log-likelihood of what was written, given the question (V-STaR, arXiv 2402.06457).

Knows vLLM's log-probabilities of prompts. A directory says that it is such a judge by the name of its one label.
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
from search.reward_models import RewardModelKind, kind_of

HOPELESS = -1000.0  # nats of a state that cannot be read: far below what anybody writes

Pieces = Sequence[tuple[str, bool]]  # text, and whether the policy wrote it


def likelihood(model: ModelRef) -> bool:
    """Whether a judge is a language model whose score is a likelihood."""
    return kind_of(Path(model.path)) is RewardModelKind.DPO


class LikelihoodEngine(Engine):
    """Judges states by the sum of the log-probabilities of all tokens that the policy wrote, in nats."""

    runner: Literal["generate", "pooling"] = "generate"

    async def likelihood(
        self, states: Sequence[tuple[Pieces, bool]], key: str, model: ModelRef | None = None
    ) -> Scores:
        """One log-likelihood a state, in order. A state is its pieces, and whether it is finished: then the end of the
        sequence counts as written. Raises BadScore where one is not finite, and WrongModel as reward models do.

        A state too long for the model is given HOPELESS and counted.
        """
        self._serves(model)
        read = [self._read(pieces, finished) for pieces, finished in states]
        with self._mortal():
            found = await asyncio.gather(
                *(self._one(ids, written, f"{key}/{i}") for i, (ids, written) in enumerate(read))
            )
        tokens = sum(len(ids) for ids, _ in read)
        self._prompt += tokens
        return Scores(tuple(found), tokens, 0, self._model.version)

    def _read(self, pieces: Pieces, finished: bool) -> tuple[list[int], list[bool]]:
        """Token ids of a state, and which of them were written by the policy."""
        ids: list[int] = []
        written: list[bool] = []
        for text, own in pieces:
            new = self._tokens.ids((text,))
            ids.extend(new)
            written.extend([own] * len(new))
        if finished and self._end is not None:
            ids.append(self._end)
            written.append(True)
        return ids, written

    async def _one(self, ids: list[int], written: list[bool], key: str) -> float:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        try:
            self._fit(ids, 1, key)
        except PromptTooLong:
            return HOPELESS
        parameters = SamplingParams(
            max_tokens=1,
            temperature=0.0,
            prompt_logprobs=0,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        async for answer in self._llm.generate({"type": "token", "prompt_token_ids": ids}, parameters, key):
            last = answer
        total = math.fsum(
            of_token[token].logprob
            for of_token, token, own in zip(last.prompt_logprobs, ids, written, strict=True)
            if own and of_token is not None
        )
        if not math.isfinite(total):
            self._failed += 1
            raise BadScore(f"{self._name}: the log-likelihood of request {key} is {total}: the weights are broken")
        return total
