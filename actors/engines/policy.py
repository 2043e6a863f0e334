"""Serve a policy by vLLM: from pieces of text to candidate continuations.

Where every stop string is one added token of the tokenizer, the engine stops on token ids and does not detokenize, so
that a stop costs nothing. Other stops are searched in the text, as it grows.
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
from search.formats.base import Piece

if TYPE_CHECKING:
    from vllm import SamplingParams

CACHED_PARAMETERS = 1 << 10  # kinds of requests: max_tokens differs where the context has little room left


class PolicyEngine(Engine):
    """Generates continuations. The same arguments give the same candidates, up to rounding between batches."""

    runner: Literal["generate", "pooling"] = "generate"

    async def propose(
        self,
        pieces: Sequence[Piece],
        stops: tuple[str, ...],
        n: int,
        sampling: Sampling,
        seed: int,
        key: str,
        model: ModelRef | None = None,
    ) -> Proposal:
        """Generate ``n`` candidates after the pieces, one if greedy; ``key`` names the request.

        Candidate i samples with seed + i. ``prompt_tokens`` counts the prompt once, whatever ``n`` is. Where the
        context has less room than ``max_tokens``, candidates are cut there. Raises PromptTooLong where it has none,
        RequestFailed where vLLM drops the request, and WrongModel where ``model`` is given and is not the one served.
        """
        self._check_model(model)
        ids = self._tokens.ids(pieces)
        self._check_length(ids, 1, key)
        room = min(sampling.max_tokens, self._max_model_len - len(ids))
        samples = 1 if sampling.temperature == 0 else n
        fitted = sampling if room == sampling.max_tokens else replace(sampling, max_tokens=room)
        parameters = self._parameters(stops, samples, fitted, seed)
        with self._exit_if_engine_dead():
            async for output in self._llm.generate({"type": "token", "prompt_token_ids": ids}, parameters, key):
                final = output
        candidates = tuple(self._candidate(completion, stops, key) for completion in final.outputs)
        proposal = Proposal(candidates, len(ids), final.num_cached_tokens or 0, self._model.version)
        self._stats.generated_tokens += proposal.generated_tokens
        self._stats.prompt_tokens += proposal.prompt_tokens
        self._stats.cached_tokens += proposal.cached_tokens
        return proposal

    def _parameters(self, stops: tuple[str, ...], n: int, sampling: Sampling, seed: int) -> SamplingParams:
        parameters = copy(unseeded_parameters(stops, self._tokens.stop_ids(stops), n, sampling))
        parameters.seed = seed
        return parameters

    def _candidate(self, completion: Any, stops: tuple[str, ...], key: str) -> Candidate:
        """Return vLLM's completion as a candidate, its text cut after the first stop, with the reason of its end."""
        if completion.finish_reason not in ("stop", "length"):
            raise RequestFailed(f"{self._name}: request {key} ended by {completion.finish_reason}")
        ids = tuple(completion.token_ids)
        text, stopped = cut(self._tokens.text(ids), stops)
        if stopped:
            finish = Finish.STOP
        else:
            finish = Finish.LENGTH if completion.finish_reason == "length" else Finish.END
        return Candidate(text, ids, finish, self._tokens.vocabulary)


@lru_cache(maxsize=CACHED_PARAMETERS)
def unseeded_parameters(
    stops: tuple[str, ...], stop_ids: tuple[int, ...] | None, n: int, sampling: Sampling
) -> SamplingParams:
    """Return vLLM's parameters of a request without a seed, for each request to copy.

    Making them for every request, and a deep copy in vLLM (``skip_clone`` avoids it), would cost a seventh of all that
    this process does for a request.
    """
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
