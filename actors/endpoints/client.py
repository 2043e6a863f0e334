"""Send requests to an OpenAI-compatible server: retries, rate limits, a deadline, counts.

The library's own retries are off: they are not counted, they end at two minutes of Retry-After, and each request would
find out about a rate limit for itself. Here a rate limit holds back all requests of the client until it is over.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import openai
from pydantic import SecretStr

from actors.endpoints.config import EndpointConfig
from actors.errors import EndpointRefused, EngineGaveUp, PromptTooLong

Response = TypeVar("Response")
CONNECT_S = 10.0  # longest wait for a connection: a host that drops packets gives no other sign
NO_KEY = "none"  # servers without keys accept any, the library wants one
MAX_BACKOFF_S = 60.0
RETRIED = (408, 409, 429)  # and every status from 500 on
OUT_OF_MONEY = "insufficient_quota"  # OpenAI's code of a 429 that waiting does not mend
TOO_LONG_WORDS = ("context length", "context_length", "maximum context", "too long", "max_model_len", "prompt is too")


class EndpointClient:
    """A client of one server, for one asyncio loop.

    ``counts``: "requests", "retries", "rate_limited", "server_failed", "unreachable", "timeout" and "gave_up".
    """

    def __init__(self, config: EndpointConfig, key: SecretStr | None) -> None:
        self.config = config
        self.counts: Counter[str] = Counter()
        self._key = key
        self._resumes_at = 0.0  # by the loop's clock: the end of the last rate limit
        self.api = openai.AsyncOpenAI(
            base_url=config.url,
            api_key=key.get_secret_value() if key is not None else NO_KEY,
            max_retries=0,
            timeout=openai.Timeout(config.request_deadline_s, connect=min(CONNECT_S, config.request_deadline_s)),
        )

    async def call(self, send: Callable[[], Awaitable[Response]], key: str) -> Response:
        """Return the response to a request; ``send`` sends it once, ``key`` names it.

        Raises EngineGaveUp after all tries or at the deadline, EndpointRefused where another try cannot help, and
        PromptTooLong.
        """
        reason = "no try was made"
        try:
            async with asyncio.timeout(self.config.request_deadline_s):
                for attempt in range(self.config.max_attempts):
                    if attempt:
                        self.counts["retries"] += 1
                    await self._wait_for_limit()
                    self.counts["requests"] += 1
                    try:
                        return await send()
                    except openai.APIError as error:
                        reason = self._read(error)
                        await self._wait_after(error, attempt)
        except TimeoutError:
            self.counts["timeout"] += 1
            reason = f"no response in {self.config.request_deadline_s:g} s, last: {reason}"
        self.counts["gave_up"] += 1
        raise EngineGaveUp(f"request {key} to {self.config.reference} failed for good: {reason}")

    async def close(self) -> None:
        """Close the connections."""
        await self.api.close()

    def _read(self, error: openai.APIError) -> str:
        """Count a failure and return its reason. Raises EndpointRefused or PromptTooLong where another try cannot help."""
        reason = self.redact(" ".join(str(error).split())[:300])
        if isinstance(error, openai.APIStatusError):
            status = error.status_code
            if status == 429 and error.code != OUT_OF_MONEY:
                self.counts["rate_limited"] += 1
            elif status != 429 and (status in RETRIED or status >= 500):
                self.counts["server_failed"] += 1
            elif status in (400, 413, 422) and any(word in reason.lower() for word in TOO_LONG_WORDS):
                raise PromptTooLong(f"{self.config.reference}: {reason}") from None
            else:
                raise EndpointRefused(f"{self.config.reference} refused the request: {reason}", status) from None
        elif isinstance(error, openai.APIConnectionError):
            self.counts["unreachable"] += 1
            cause = "" if error.__cause__ is None else f" ({self.redact(str(error.__cause__))})"
            reason = f"{reason}{cause}"
        return reason

    def redact(self, text: str) -> str:
        """Return ``text`` without the key, which some servers repeat in their errors."""
        return text if self._key is None else text.replace(self._key.get_secret_value(), "***")

    async def _wait_for_limit(self) -> None:
        loop = asyncio.get_running_loop()
        while (left := self._resumes_at - loop.time()) > 0:  # noqa: ASYNC110 others may move the end meanwhile
            await asyncio.sleep(left)

    async def _wait_after(self, error: openai.APIError, attempt: int) -> None:
        """Wait before the next try; after the last one not at all."""
        if attempt + 1 == self.config.max_attempts:
            return
        backoff = min(MAX_BACKOFF_S, self.config.backoff_s * 2**attempt)
        if isinstance(error, openai.APIStatusError):
            wait = retry_after_s(error.response.headers.get("retry-after"))
            if wait is not None or error.status_code == 429:
                resumes_at = asyncio.get_running_loop().time() + (backoff if wait is None else wait)
                self._resumes_at = max(self._resumes_at, resumes_at)
                return
        await asyncio.sleep(backoff)


def retry_after_s(header: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which holds seconds or a date; None without a usable one."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return seconds if 0 <= seconds < float("inf") else None
