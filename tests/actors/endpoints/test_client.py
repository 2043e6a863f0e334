"""Requests to a server that fails: what is tried again, when, and what is given up at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import SecretStr

from actors.endpoints import client as client_module
from actors.endpoints.client import EndpointClient, retry_after_s
from actors.endpoints.config import EndpointConfig
from actors.errors import EndpointRefused, EngineGaveUp, PromptTooLong
from tests.fakes.openai_server import Failure, ScriptedServer, serving


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with serving(ScriptedServer()) as script:
        yield script


async def ask(server: ScriptedServer, key: str | None = None, **fields: Any) -> tuple[Any, EndpointClient]:
    """Return the response to one completion, and the client that sent it."""
    settings = {"url": server.url, "model": "m", "backoff_s": 0.01, **fields}
    client = EndpointClient(EndpointConfig.model_validate(settings), SecretStr(key) if key else None)

    async def send() -> Any:
        return await client.api.completions.create(model="m", prompt="1 + 1 =")

    try:
        return await client.call(send, "p1"), client
    finally:
        await client.close()


async def test_failures_that_pass_are_tried_again(server: ScriptedServer) -> None:
    server.failures = deque([Failure(500), Failure(503), Failure(408)])
    response, client = await ask(server)
    assert response.choices[0].text == "ok"
    assert dict(client.counts) == {"requests": 4, "retries": 3, "server_failed": 3}


async def test_rate_limit_waits_as_long_as_the_server_says(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    sleep = client_module.asyncio.sleep

    async def record(seconds: float) -> None:
        waits.append(seconds)
        await sleep(seconds)

    monkeypatch.setattr(client_module.asyncio, "sleep", record)
    server.failures = deque([Failure(429, headers={"Retry-After": "0.2"}), Failure(429)])
    _, client = await ask(server)
    assert (client.counts["rate_limited"], client.counts["retries"]) == (2, 2)
    waited = [wait for wait in waits if wait > 0.005]
    assert 0.1 < waited[0] <= 0.2  # as the header says
    assert all(wait <= 0.02 for wait in waited[1:])  # the second backoff


@pytest.mark.parametrize(
    ("failure", "error", "message"),
    [
        (Failure(401, "bad key"), EndpointRefused, "refused the request: Error code: 401"),
        (Failure(404, "no model m"), EndpointRefused, "no model m"),
        (Failure(429, "pay first", code="insufficient_quota"), EndpointRefused, "pay first"),
        (Failure(400, "This model's maximum context length is 8 tokens"), PromptTooLong, "maximum context"),
    ],
)
async def test_failures_that_stay_are_raised_at_once(
    server: ScriptedServer, failure: Failure, error: type[Exception], message: str
) -> None:
    server.failures = deque([failure])
    with pytest.raises(error, match=message):
        await ask(server)
    assert len(server.requests) == 1


async def test_request_is_given_up_after_all_tries(server: ScriptedServer) -> None:
    server.failures = deque([Failure(500)] * 5)
    with pytest.raises(EngineGaveUp, match=r"request p1 to m at http://.* failed for good: Error code: 500"):
        await ask(server, max_attempts=3)
    assert len(server.requests) == 3


async def test_slow_server_is_given_up_at_the_deadline(server: ScriptedServer) -> None:
    server.delay_s = 1.0
    with pytest.raises(EngineGaveUp, match=r"no response in 0\.2 s"):
        await ask(server, request_deadline_s=0.2, max_attempts=1000)


async def test_unreachable_server_is_named(server: ScriptedServer) -> None:
    server.url = "http://127.0.0.1:1/v1"
    with pytest.raises(EngineGaveUp, match="Connection error"):
        await ask(server, max_attempts=2)


async def test_key_is_sent_and_left_out_of_errors(server: ScriptedServer) -> None:
    server.key = "sk-right"
    with pytest.raises(EndpointRefused) as caught:
        await ask(server, "sk-wrong")
    assert "Incorrect API key provided" in str(caught.value)
    assert "sk-wrong" not in str(caught.value)
    response, _ = await ask(server, "sk-right")
    assert response.choices[0].text == "ok"


def test_retry_after_is_read_as_seconds_or_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 95 < (retry_after_s(later) or 0) <= 100
    assert [retry_after_s(text) for text in ("2.5", "0", None, "soon", "-3", "inf")] == [2.5, 0, None, None, None, None]
