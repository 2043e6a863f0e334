"""The policy engine: segments of text in, candidate continuations out. Knows vLLM's generation and its stops.

Where every stop is one added token of the tokenizer, the engine stops on token ids and writes no text: a stop then
costs nothing. Other stops are searched in the text, as it grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from actors.engines.base import Engine
from actors.engines.tokenization import cut
from actors.errors import RequestFailed
from search.data import Candidate, Finish, ModelRef, Proposal, Sampling

if TYPE_CHECKING:
    from vllm import SamplingParams

REMEMBERED = 1 << 10  # kinds of requests: their lengths differ where the context has little room left


class PolicyEngine(Engine):
    """Writes continuations. The same arguments give the same candidates, up to rounding between batches."""

    runner: Literal["generate", "pooling"] = "generate"

    async def propose(
        self,
        segments: Sequence[str],
        stops: tuple[str, ...],
        n: int,
        sampling: Sampling,
        seed: int,
        key: str,
        model: ModelRef | None = None,
    ) -> Proposal:
        """``n`` candidates after the segments; ``key`` names the request. A greedy request has one candidate.

        Candidate i draws from seed + i. ``prompt_tokens`` counts the prompt once, whatever ``n`` is. Where the context
        has less room than ``max_tokens``, candidates are cut there. Raises PromptTooLong where it has none,
        RequestFailed where vLLM drops the request, and WrongModel where ``model`` is given and not the one served.
        """
        self._serves(model)
        ids = self._tokens.ids(segments)
        self._fit(ids, 1, key)
        room = min(sampling.max_tokens, self._config.max_model_len - len(ids))
        many = 1 if sampling.temperature == 0 else n
        fitting = sampling if room == sampling.max_tokens else replace(sampling, max_tokens=room)
        parameters = self._parameters(stops, many, fitting, seed)
        with self._mortal():
            async for answer in self._llm.generate({"type": "token", "prompt_token_ids": ids}, parameters, key):
                last = answer
        candidates = tuple(self._candidate(output, stops, key) for output in last.outputs)
        proposal = Proposal(candidates, len(ids), last.num_cached_tokens or 0, self._model.version)
        self._generated += proposal.generated_tokens
        self._prompt += proposal.prompt_tokens
        self._cached += proposal.cached_tokens
        return proposal

    def _parameters(self, stops: tuple[str, ...], n: int, sampling: Sampling, seed: int) -> SamplingParams:
        parameters = copy(unseeded(stops, self._tokens.stop_ids(stops), n, sampling))
        parameters.seed = seed
        return parameters

    def _candidate(self, output: Any, stops: tuple[str, ...], key: str) -> Candidate:
        """What vLLM wrote, with its text cut after the first stop and the reason why it ended."""
        if output.finish_reason not in ("stop", "length"):
            raise RequestFailed(f"{self._name}: request {key} ended by {output.finish_reason}")
        ids = tuple(output.token_ids)
        text, stopped = cut(self._tokens.text(ids), stops)
        if stopped:
            finish = Finish.STOP
        else:
            finish = Finish.LENGTH if output.finish_reason == "length" else Finish.END
        return Candidate(text, ids, finish)


@lru_cache(maxsize=REMEMBERED)
def unseeded(stops: tuple[str, ...], stop_ids: tuple[int, ...] | None, n: int, sampling: Sampling) -> SamplingParams:
    """vLLM's parameters of a request before it has a seed, for each request to copy: to make them anew, and to have vLLM
    copy them deeply (``skip_clone``), costs a seventh of all that this process does for a request."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    by_text = {"stop": list(stops), "include_stop_str_in_output": True}
    by_id = {"stop_token_ids": list(stop_ids or ()), "detokenize": False}
    return SamplingParams(
        n=n,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        max_tokens=sampling.max_tokens,
        skip_special_tokens=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
        skip_clone=True,
        **(by_text if stop_ids is None else by_id),
    )
