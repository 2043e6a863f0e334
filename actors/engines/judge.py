"""Serve any language model as a judge: it writes judgements of a state, and their marks are its score."""

from __future__ import annotations

from typing import Literal, cast

from actors.engines.reward_model import RewardEngine, StateScore
from search.reward_models import RenderedState
from search.reward_models.judge import Judge, read_mark
from search.seeds import derive

LEAST_ROOM = 16  # tokens of a judgement; a state that leaves fewer is too long


class JudgeEngine(RewardEngine):
    """Scores states by the marks in texts that the model writes about them. The same state has the same judgements.

    Tokens of a score are those read and those written. A judgement without a mark is counted as failed and left out.
    """

    runner: Literal["generate", "pooling"] = "generate"

    async def _score_state(self, state: RenderedState, key: str) -> StateScore:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        options = cast(Judge, self._adapter).options
        ids = self._tokens.ids(state.pieces)
        self._check_length(ids, LEAST_ROOM, key)
        parameters = SamplingParams(
            n=1 if options.temperature == 0 else options.samples,
            temperature=options.temperature,
            max_tokens=min(options.max_tokens, self._max_model_len - len(ids)),
            seed=derive("judge", *ids),
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        async for output in self._llm.generate({"type": "token", "prompt_token_ids": ids}, parameters, key):
            final = output
        texts = [self._tokens.text(completion.token_ids) for completion in final.outputs]
        marks = [mark for text in texts if (mark := read_mark(text)) is not None]
        self._stats.failed += len(texts) - len(marks)
        written = sum(len(completion.token_ids) for completion in final.outputs)
        self._stats.generated_tokens += written
        return StateScore(self._adapter.to_logit(marks), len(ids) + written, final.num_cached_tokens or 0)
