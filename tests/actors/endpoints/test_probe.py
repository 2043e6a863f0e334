"""What a server accepts, by kinds of servers: vLLM's, OpenAI's, one that ignores what it does not support, a broken one."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from pydantic import SecretStr

from actors.endpoints.capabilities import Api, Capabilities
from actors.endpoints.config import EndpointConfig
from actors.endpoints.probe import probe
from search.errors import UserError
from tests.fakes.openai_server import Failure, ScriptedServer, serving

ALL: tuple[Api, ...] = ("completions", "continue", "chat")
VLLM: dict[str, Any] = {}
OPENAI = {"apis": frozenset({"chat"}), "refuses_unknown": True, "refuses_max_tokens": True, "names_stop": False}
IGNORING = {"apis": frozenset({"chat"}), "names_stop": False}


def ask(order: tuple[Api, ...], *, secret: str = "", api_key_env: str | None = None, **server: Any) -> Capabilities:
    with serving(ScriptedServer(**server)) as script:
        config = EndpointConfig(url=script.url, model="m", backoff_s=0.01, api_key_env=api_key_env)
        return probe("policy.endpoint", config, SecretStr(secret) if secret else None, order)


@pytest.mark.parametrize(
    ("order", "server", "expected"),
    [
        (ALL, VLLM, Capabilities(api="completions", names_stop=True)),
        (ALL[1:], VLLM, Capabilities(api="continue", names_stop=True)),
        (ALL[1:], {"keeps_space": False}, Capabilities(api="continue", names_stop=True, keeps_space=False)),
        (ALL, {"names_stop": False}, Capabilities(api="completions", names_stop=False)),
        (ALL, OPENAI, Capabilities(api="chat", limit_field="max_completion_tokens")),
        (ALL, IGNORING, Capabilities(api="chat")),
    ],
)
def test_api_is_the_first_that_works(order: tuple[Api, ...], server: dict[str, Any], expected: Capabilities) -> None:
    assert ask(order, **server) == expected
    assert expected.continues == (expected.api != "chat")


def test_server_without_any_api_is_refused_with_all_reasons() -> None:
    with pytest.raises(UserError, match=r"^policy\.endpoint: completions: m at .*404.*; chat: m at .*Not Found"):
        ask(("completions", "chat"), apis=frozenset())


@pytest.mark.parametrize(
    ("variable", "advice"),
    [
        (None, r"name the environment variable with your key in policy\.endpoint\.api_key_env"),
        ("MY_KEY", "MY_KEY valid"),
    ],
)
def test_bad_key_is_refused_with_advice(variable: str | None, advice: str) -> None:
    with pytest.raises(UserError, match=advice) as caught:
        ask(ALL, secret="sk-wrong", api_key_env=variable, key="sk-right")
    assert "sk-wrong" not in str(caught.value)


def test_server_that_is_down_is_refused_after_few_tries() -> None:
    with serving(ScriptedServer(failures=deque([Failure(503)] * 20))) as script:
        config = EndpointConfig(url=script.url, model="m", backoff_s=0.01)
        with pytest.raises(UserError, match=r"^policy\.endpoint: request probe of completions .* failed for good"):
            probe("policy.endpoint", config, None, ALL)
        assert len(script.requests) == 3
