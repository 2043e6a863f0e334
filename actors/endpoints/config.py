"""Define the settings of a policy behind an OpenAI-compatible server. They hold the name of the key's variable, never the key."""

from __future__ import annotations

import os
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from search.config import StrictConfig, hidden_value
from search.errors import UserError

TOKENS_PRICED = 1_000_000


class EndpointConfig(StrictConfig):
    """A model behind an OpenAI-compatible server, asked in place of engines of our own."""

    url: str = Field(description="address up to the version, such as https://HOST/v1")
    model: str = Field(min_length=1, description="name of the model there")
    api_key_env: str | None = Field(
        None, description="name of the environment variable that holds the key; the key itself stands in no file"
    )
    api: Literal["auto", "completions", "continue", "chat"] = Field(
        "auto",
        description="how it is asked: completions (a prompt rendered here), continue (a chat whose last message is "
        "continued), chat (whole solutions only); auto: the first of them that the server accepts",
    )
    max_inflight: int = Field(32, ge=1, description="sequences in flight at once, over all search workers")
    request_deadline_s: float = Field(300, gt=0, description="longest wait for one response, all tries together (s)")
    max_attempts: int = Field(8, ge=1, description="tries of one request before it fails for good")
    backoff_s: float = Field(
        1.0,
        gt=0,
        description="wait before the second try where the server names none, doubled for each further one (s)",
    )
    price_prompt: float = Field(0.0, ge=0, description="price of a million prompt tokens")
    price_cached: float | None = Field(
        None, ge=0, description="price of a million prompt tokens from the server's cache (default: as price_prompt)"
    )
    price_generated: float = Field(0.0, ge=0, description="price of a million generated tokens")
    extra: dict[str, Any] = Field({}, description="further fields of each request, by name")

    @field_validator("url")
    @classmethod
    def _plain_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or any(map(str.isspace, parts.netloc)):
            raise ValueError("an address such as https://HOST/v1 is needed")
        _ = parts.port  # raises ValueError where it is no port
        if parts.username or parts.password or parts.query or parts.fragment:
            raise hidden_value("an address without user, key or query is needed: api_key_env names the key's variable")
        return url.rstrip("/")

    @field_validator("api_key_env")
    @classmethod
    def _variable_name(cls, name: str | None) -> str | None:
        if name is not None and not (name.isidentifier() and name == name.upper()):
            raise hidden_value(
                "the name of an environment variable is needed, such as OPENAI_API_KEY, not the key itself"
            )
        return name

    @property
    def reference(self) -> str:
        """Return what stands for the model in lineage and records: its name and its server."""
        return f"{self.model} at {self.url}"

    def price(self, prompt_tokens: int, cached_tokens: int, generated_tokens: int) -> float | None:
        """Return what tokens cost by the declared prices, None without prices.

        Prices 1.0, cached 0.5, generated 2.0: 3,000 prompt tokens, 1,000 of them cached, and 500 generated cost
        (2000 * 1.0 + 1000 * 0.5 + 500 * 2.0) / 1e6 = 0.0035.
        """
        if not (self.price_prompt or self.price_cached or self.price_generated):
            return None
        price_cached = self.price_prompt if self.price_cached is None else self.price_cached
        fresh = prompt_tokens - cached_tokens
        total = fresh * self.price_prompt + cached_tokens * price_cached + generated_tokens * self.price_generated
        return total / TOKENS_PRICED


def read_key(option: str, config: EndpointConfig) -> SecretStr | None:
    """Return the key in the environment, None where none is named. Raises UserError if the variable is empty."""
    if config.api_key_env is None:
        return None
    key = os.environ.get(config.api_key_env, "")
    if not key:
        raise UserError(f"{option}.api_key_env: the environment variable {config.api_key_env} is not set")
    return SecretStr(key)
