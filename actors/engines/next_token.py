"""Serve a language model as a reward model that answers with one of two tokens (Math-Shepherd, RLHFlow).

One token is generated after the state, with the log-probabilities of the adapter's answers, whichever token it is. Their
difference is the log-odds of the one against the other: the probabilities of other tokens cancel.
"""

from __future__ import annotations

from typing import Literal

from actors.engines.reward_model import RewardEngine, StateScore
from search.reward_models import RenderedState


class NextTokenEngine(RewardEngine):
    """Scores states by the log-probabilities of the adapter's answers after the last token."""

    runner: Literal["generate", "pooling"] = "generate"

    async def _score_state(self, state: RenderedState, key: str) -> StateScore:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        ids = self._tokens.ids(state.pieces)
        self._check_length(ids, 1, key)
        answers = [self._tag_ids[tag] for tag in self._adapter.answers]
        parameters = SamplingParams(
            max_tokens=1,
            temperature=0.0,
            logprob_token_ids=answers,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        async for output in self._llm.generate({"type": "token", "prompt_token_ids": ids}, parameters, key):
            final = output
        by_token = final.outputs[0].logprobs[0]
        outputs = [by_token[token].logprob for token in answers]
        return StateScore(self._adapter.to_logit(outputs), len(ids), final.num_cached_tokens or 0)
