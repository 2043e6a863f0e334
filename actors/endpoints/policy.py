"""Implement a search's Policy over an OpenAI-compatible server: render, send, cut, count.

propose(state) ── completions: a prompt rendered here, as token ids where the tokenizer is here
               ── continue:    messages; the last, the assistant's, is continued
               ── chat:        messages up to the question
response       ── cut at the first stop string; its tokens shared out over the candidates
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from actors.endpoints.capabilities import MATCHED_STOP, OLD_LIMIT, STOP_REASON, Endpoint
from actors.endpoints.messages import chat_messages, is_continued
from actors.endpoints.server import MAX_SEED, EndpointServer, usage_of
from actors.errors import EndpointRefused, PromptTooLong
from search.data import Candidate, Finish, Proposal, Sampling, State
from search.formats.base import Piece, StepFormat
from search.formats.chat_format import ChatFormat

UNKNOWN_TOKEN = -1  # stands for each token of a text whose ids the server does not tell
Encode = Callable[[Sequence[Piece]], list[int]]  # pieces of a prompt to its token ids


class EndpointPolicy(EndpointServer):
    """Implements search.protocols.Policy.

    ``encode`` makes token ids of pieces, where the model's tokenizer is here; otherwise prompts are sent as text.
    """

    def __init__(
        self, endpoint: Endpoint, step_format: StepFormat, *, share: float = 1.0, encode: Encode | None = None
    ) -> None:
        super().__init__(endpoint, "policy", share)
        self._format, self._encode = step_format, encode

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        """Return ``n`` candidates, one if greedy.

        A state that fills the context has one empty candidate, cut off before its first token; "too_long" counts it.
        Raises EngineGaveUp, and EndpointRefused where the server does not take the request.
        """
        key, count = f"{state.problem.id}/{len(state.steps)}/{seed:x}", 1 if sampling.temperature == 0 else n
        stops = self._format.stops(state, sampling.until)
        try:
            if self.capabilities.api == "completions":
                repeats_space = False
                response = await self.complete(
                    self._prompt(state), self._fields(count, sampling, stops, seed), key, count
                )
            else:
                messages = self._messages(state)
                repeats_space = is_continued(messages) and not self.capabilities.keeps_space
                fields = self._fields(count, sampling, () if repeats_space else stops, seed)
                response = await self.chat(messages, fields, key, count)
        except PromptTooLong:
            self.counts["too_long"] += 1
            return Proposal((Candidate("", (), Finish.LENGTH),))
        proposal = read_proposal(response, stops, repeats_space)
        self.stats.outputs += proposal.generated_tokens
        return proposal

    def _prompt(self, state: State) -> str | list[int]:
        segments = self._format.segments(state)
        if self._encode is not None:
            return self._encode([segment.piece for segment in segments])
        return "".join(segment.text for segment in segments)

    def _messages(self, state: State) -> list[dict[str, str]]:
        if not isinstance(self._format, ChatFormat):
            raise EndpointRefused(
                f"{self.config.reference} is a chat: it takes the format chat, not {self._format.name}"
            )
        messages = chat_messages(self._format, state)
        if is_continued(messages) and not self.capabilities.continues:
            raise EndpointRefused(f"{self.config.reference} does not continue a solution after its first steps")
        return messages

    def _fields(self, n: int, sampling: Sampling, stops: tuple[str, ...], seed: int) -> dict[str, Any]:
        """Return the fields of a request that all APIs share. Those that are off are left out: not every server has them."""
        fields: dict[str, Any] = {
            "n": n,
            OLD_LIMIT: sampling.max_tokens,
            "temperature": sampling.temperature,
            "seed": seed & MAX_SEED,
        }
        if sampling.top_p < 1:
            fields["top_p"] = sampling.top_p
        if sampling.top_k:
            fields["top_k"] = sampling.top_k
        if self.capabilities.names_stop:
            # Servers that name the stop are vLLM and SGLang: tags of a format may be special tokens, which they leave out
            # of texts unless a request asks for them.
            fields["skip_special_tokens"] = False
            if stops:
                fields["stop"] = list(stops)
        return fields


def read_proposal(response: Any, stops: tuple[str, ...], repeats_space: bool) -> Proposal:
    """Return a response's candidates. ``repeats_space``: leave out white space at the begin of each."""
    usage = usage_of(response)
    texts = [choice.text if hasattr(choice, "text") else choice.message.content or "" for choice in response.choices]
    lengths = share_out(usage.generated, [len(text) for text in texts])
    candidates = []
    for text, length, choice in zip(texts, lengths, response.choices, strict=True):
        begun = text.lstrip() if repeats_space else text
        kept, finish = cut_text(begun, choice, stops)
        candidates.append(Candidate(kept, (UNKNOWN_TOKEN,) * length, finish))
    return Proposal(tuple(candidates), prompt_tokens=usage.prompt, cached_tokens=usage.cached)


def cut_text(text: str, choice: Any, stops: Sequence[str]) -> tuple[str, Finish]:
    """Return a response's text up to and with its first stop string, and why it ended.

    A server that names the stop has cut the text before it. Elsewhere the text goes on behind it: see ``Capabilities``.
    """
    extra = choice.model_extra or {}
    named = extra.get(STOP_REASON) or extra.get(MATCHED_STOP)
    if isinstance(named, str) and named in stops:
        return (text if text.endswith(named) else text + named), Finish.STOP
    places = [(place, -len(stop), stop) for stop in stops if (place := text.find(stop)) >= 0]
    if places:
        place, _, stop = min(places)
        return text[: place + len(stop)], Finish.STOP
    return text, Finish.LENGTH if choice.finish_reason == "length" else Finish.END


def share_out(total: int, weights: Sequence[int]) -> list[int]:
    """Return whole shares of ``total`` in proportion to ``weights``; their sum is ``total``.

    10 tokens over texts of 30 and 12 characters: 7.1 and 2.9, so 7 and 3.
    """
    weights = weights if any(weights) else [1] * len(weights)
    whole = sum(weights)
    ends = [(2 * total * so_far + whole) // (2 * whole) for so_far in accumulate(weights)]
    return [end - begin for begin, end in pairwise([0, *ends])]
