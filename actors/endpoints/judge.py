"""Implement a search's RewardModel by a generative judge behind an OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors.endpoints.capabilities import OLD_LIMIT, Endpoint
from actors.endpoints.messages import message
from actors.endpoints.server import MAX_SEED, EndpointServer, usage_of
from actors.errors import PromptTooLong
from search.concurrency import gather_or_cancel
from search.data import Scores, State
from search.reward_models.judge import Judge, read_mark
from search.seeds import derive


class EndpointJudge(EndpointServer):
    """Puts the judge's request about each state to the server, and reads the marks in its judgements."""

    def __init__(self, endpoint: Endpoint, judge: Judge, *, share: float = 1.0) -> None:
        super().__init__(endpoint, "reward_model", share)
        self._judge = judge

    async def score(self, states: Sequence[State]) -> Scores:
        """Return the log-odds of the mean mark of each state; 0 where no judgement has a mark. One request a state.

        Tokens of a score are those read and those written, as of a judge in an engine.
        """
        judged = await gather_or_cancel(self._judgement(state) for state in states)
        self.stats.outputs += len(states)
        return Scores(
            tuple(logit for logit, _, _ in judged),
            prompt_tokens=sum(prompt for _, prompt, _ in judged),
            cached_tokens=sum(cached for _, _, cached in judged),
        )

    async def _judgement(self, state: State) -> tuple[float, int, int]:
        """Return a state's logit, and its prompt's tokens with those written, and the cached ones."""
        options, request = self._judge.options, self._judge.request(state)
        samples = 1 if options.temperature == 0 else options.samples
        fields: dict[str, Any] = {
            "n": samples,
            OLD_LIMIT: options.max_tokens,
            "temperature": options.temperature,
            "seed": derive("judge", request) & MAX_SEED,
        }
        try:
            response = await self.chat([message("user", request)], fields, f"{state.problem.id}/judge", samples)
        except PromptTooLong:
            self.counts["too_long"] += 1
            return self._judge.to_logit(()), 0, 0
        marks = [mark for choice in response.choices if (mark := read_mark(choice.message.content or "")) is not None]
        self.counts["without_mark"] += len(response.choices) - len(marks)
        usage = usage_of(response)
        return self._judge.to_logit(marks), usage.prompt + usage.generated, usage.cached
