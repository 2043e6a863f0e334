"""Share a server between the requests of one search worker: limit what is in flight, send, count what comes back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from actors.endpoints.capabilities import CONTINUATION, OLD_LIMIT, Endpoint
from actors.endpoints.client import EndpointClient
from actors.endpoints.messages import Message, is_continued
from actors.stats import PoolStats
from search.concurrency.tracing import Activity, span

MAX_SEED = 2**31 - 1  # some servers take no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one response, as the server counts them."""

    prompt: int = 0
    cached: int = 0
    generated: int = 0


def usage_of(response: Any) -> Usage:
    """Return the tokens of a response; 0 where the server does not tell them."""
    usage = response.usage
    if usage is None:
        return Usage()
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details is not None else 0
    return Usage(prompt=usage.prompt_tokens, cached=cached, generated=usage.completion_tokens)


class EndpointServer:
    """What a policy and a judge behind a server share; it belongs to one asyncio loop.

    ``share`` of the sequences that the server takes at once are this worker's. ``counts`` are the client's, with
    "prompt_tokens" and "generated_tokens" of all responses, those for abandoned trees too.
    """

    def __init__(self, endpoint: Endpoint, role: str, share: float) -> None:
        self.role, self.stats = role, PoolStats()
        self._activity = Activity.SCORE if role == "reward_model" else Activity.GENERATE
        self.config, self.capabilities = endpoint.config, endpoint.capabilities
        self.client = EndpointClient(endpoint.config, endpoint.key)
        self.inflight = self.waiting = 0
        self._limit = max(1, int(endpoint.config.max_inflight * share))
        self._room = asyncio.Condition()
        self._closing: asyncio.Future[None] | None = None

    @property
    def counts(self) -> Counter[str]:
        return self.client.counts

    async def complete(self, prompt: str | list[int], fields: dict[str, Any], key: str, size: int) -> Any:
        """Return the response to a prompt. Raises EngineGaveUp, EndpointRefused, PromptTooLong."""

        async def send() -> Any:
            return await self.client.api.completions.create(
                model=self.config.model, prompt=prompt, extra_body={**fields, **self.config.extra}
            )

        return await self._send(send, key, size)

    async def chat(self, messages: Sequence[Message], fields: dict[str, Any], key: str, size: int) -> Any:
        """Return the response to messages; the assistant's last one is continued. Raises as ``complete`` does."""
        body = {**fields, **(CONTINUATION if is_continued(messages) else {})}
        body[self.capabilities.limit_field] = body.pop(OLD_LIMIT)

        async def send() -> Any:
            return await self.client.api.chat.completions.create(
                model=self.config.model,
                messages=list(messages),  # type: ignore[arg-type]
                extra_body={**body, **self.config.extra},
            )

        return await self._send(send, key, size)

    def close(self) -> None:
        """Close the connections in the background. Nothing may be in flight."""
        self._closing = asyncio.ensure_future(self.client.close())  # kept, so that it is not collected before it ends

    async def _send(self, send: Callable[[], Awaitable[Any]], key: str, size: int) -> Any:
        with span(Activity.QUEUE, role=self.role, sequences=size):
            await self._acquire(size)
        try:
            with span(self._activity, role=self.role, sequences=size, engine=self.config.reference, request=key):
                response = await self.client.call(send, key)
        finally:
            await self._release(size)
        usage = usage_of(response)
        self.stats.responses += 1
        self.stats.prompt_tokens += usage.prompt
        self.stats.cached_tokens += usage.cached
        self.counts["prompt_tokens"] += usage.prompt
        self.counts["generated_tokens"] += usage.generated
        return response

    async def _acquire(self, size: int) -> None:
        """Wait for room for ``size`` sequences; where nothing is in flight any number has room."""
        self.waiting += size
        try:
            async with self._room:
                await self._room.wait_for(lambda: not self.inflight or self.inflight + size <= self._limit)
                self.inflight += size
        finally:
            self.waiting -= size

    async def _release(self, size: int) -> None:
        async with self._room:
            self.inflight -= size
            self._room.notify_all()
