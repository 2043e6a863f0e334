"""Find out what an OpenAI-compatible server accepts, by a few requests of one token, before a search begins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import openai
from pydantic import SecretStr

from actors.endpoints.capabilities import (
    CONTINUATION,
    MATCHED_STOP,
    NEW_LIMIT,
    OLD_LIMIT,
    STOP_REASON,
    Api,
    Capabilities,
)
from actors.endpoints.client import EndpointClient
from actors.endpoints.config import EndpointConfig
from actors.endpoints.messages import message
from actors.errors import EndpointRefused, EngineGaveUp, PromptTooLong
from search.errors import UserError

PROBE_DEADLINE_S = 60.0
PROBE_ATTEMPTS = 3
PREFIX = "The capital of France is"


def probe(option: str, config: EndpointConfig, key: SecretStr | None, order: tuple[Api, ...]) -> Capabilities:
    """Return what the server accepts, by the first API of ``order`` that works. Raises UserError, one line.

    ``option``: config section that names the server.
    """
    return asyncio.run(_probe(option, config, key, order))


async def _probe(option: str, config: EndpointConfig, key: SecretStr | None, order: tuple[Api, ...]) -> Capabilities:
    limits = {
        "request_deadline_s": min(PROBE_DEADLINE_S, config.request_deadline_s),
        "max_attempts": min(PROBE_ATTEMPTS, config.max_attempts),
    }
    client = EndpointClient(config.model_copy(update=limits), key)
    checks: dict[Api, Callable[[], Awaitable[Capabilities]]] = {
        "completions": lambda: _probe_completions(client),
        "continue": lambda: _probe_continuation(client),
        "chat": lambda: _probe_chat(client),
    }
    reasons: list[str] = []
    try:
        for api in order:
            try:
                return await checks[api]()
            except EndpointRefused as error:
                if error.status in (401, 403):
                    raise UserError(f"{option}: {error}: {_key_advice(option, config)}") from None
                reasons.append(f"{api}: {error}")
            except (EngineGaveUp, PromptTooLong) as error:
                raise UserError(f"{option}: {error}") from None
    finally:
        await client.close()
    raise UserError(f"{option}: {'; '.join(reasons)}")


def _key_advice(option: str, config: EndpointConfig) -> str:
    if config.api_key_env is None:
        return f"name the environment variable with your key in {option}.api_key_env"
    return f"is the key in {config.api_key_env} valid there?"


async def _probe_completions(client: EndpointClient) -> Capabilities:
    async def send() -> Any:
        return await client.api.completions.create(
            model=client.config.model, prompt="1 + 1 =", max_tokens=1, temperature=0.0, extra_body=client.config.extra
        )

    response = await client.call(send, "probe of completions")
    return Capabilities(api="completions", names_stop=_names_stop(response.choices[0]))


async def _probe_chat(client: EndpointClient) -> Capabilities:
    response, limit_field = await _ask_chat(client, [message("user", "Say yes.")], {})
    return Capabilities(api="chat", names_stop=_names_stop(response.choices[0]), limit_field=limit_field)


async def _probe_continuation(client: EndpointClient) -> Capabilities:
    """Compare the lengths of a prompt whose last message is continued and one after which a new turn begins.

    A server that does not heed the fields, instead of refusing them, has read as many tokens in both cases: the end of the
    turn and the begin of a new one.
    """
    messages = [message("user", "Go on."), message("assistant", PREFIX)]
    spaced = [messages[0], message("assistant", f"{PREFIX}\n\n")]
    continued, limit_field = await _ask_chat(client, messages, CONTINUATION)
    answered, _ = await _ask_chat(client, messages, {}, limit_field)
    if not _prompt_tokens(continued) < _prompt_tokens(answered):
        raise EndpointRefused(f"{client.config.reference} accepts continue_final_message without heeding it")
    continued_spaced, _ = await _ask_chat(client, spaced, CONTINUATION, limit_field)
    return Capabilities(
        api="continue",
        names_stop=_names_stop(continued.choices[0]),
        limit_field=limit_field,
        keeps_space=_prompt_tokens(continued_spaced) > _prompt_tokens(continued),
    )


async def _ask_chat(
    client: EndpointClient, messages: list[dict[str, str]], fields: dict[str, Any], limit_field: str = OLD_LIMIT
) -> tuple[Any, str]:
    """Return the response to a chat request of one token, and the name of the token limit that the server takes."""

    async def send() -> Any:
        body = {limit_field: 1, **client.config.extra, **fields}
        return await client.api.chat.completions.create(
            model=client.config.model,
            messages=messages,  # type: ignore[arg-type]
            extra_body=body,
        )

    try:
        return await client.call(send, "probe of chat"), limit_field
    except EndpointRefused as error:
        if limit_field == OLD_LIMIT and NEW_LIMIT in str(error):
            return await _ask_chat(client, messages, fields, NEW_LIMIT)
        raise


def _names_stop(choice: openai.BaseModel) -> bool:
    return bool({STOP_REASON, MATCHED_STOP} & (choice.model_extra or {}).keys())


def _prompt_tokens(response: Any) -> int:
    return int(response.usage.prompt_tokens) if response.usage is not None else 0
