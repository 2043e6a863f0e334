"""Settings of a server: what is refused, and what tokens cost by the declared prices."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from actors.endpoints.capabilities import Capabilities, Endpoint
from actors.endpoints.config import EndpointConfig, read_key
from search.errors import UserError


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"url": "host:8000"}, "an address such as https"),
        ({"url": "http://a b/v1"}, "an address such as https"),
        ({"url": "http://host:99999/v1"}, "Port out of range"),
        ({"url": "http://host:x/v1"}, "Port could not be cast"),
        ({"url": "https://me:secret@host/v1"}, "without user, key or query"),
        ({"url": "https://host/v1?key=1"}, "without user, key or query"),
        ({"api_key_env": "sk-proj-123"}, "not the key itself"),
        ({"api": "responses"}, "completions"),
        ({"price_prompt": -1.0}, "greater than or equal to 0"),
    ],
)
def test_config_is_refused_when_impossible(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EndpointConfig.model_validate({"url": "http://host/v1", "model": "m", **fields})


def test_price_counts_cached_tokens_at_their_own_price() -> None:
    prices = EndpointConfig(url="http://h/v1/", model="m", price_prompt=1.0, price_cached=0.5, price_generated=2.0)
    assert prices.price(3000, 1000, 500) == pytest.approx(0.0035)
    assert prices.model_copy(update={"price_cached": None}).price(3000, 1000, 500) == pytest.approx(0.004)
    assert EndpointConfig(url="http://h/v1", model="m").price(3000, 1000, 500) is None
    assert prices.reference == "m at http://h/v1"


def test_key_is_read_from_the_environment_and_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    config = EndpointConfig(url="http://h/v1", model="m", api_key_env="RAYSTAR_TEST_KEY")
    monkeypatch.delenv("RAYSTAR_TEST_KEY", raising=False)
    with pytest.raises(UserError, match=r"policy\.endpoint\.api_key_env: .*RAYSTAR_TEST_KEY is not set"):
        read_key("policy.endpoint", config)
    monkeypatch.setenv("RAYSTAR_TEST_KEY", "sk-secret")
    endpoint = Endpoint(config=config, capabilities=Capabilities(api="chat"), key=read_key("policy.endpoint", config))
    assert endpoint.key is not None and endpoint.key.get_secret_value() == "sk-secret"
    assert "sk-secret" not in f"{endpoint!r} {endpoint} {config.model_dump()}"
    assert read_key("policy.endpoint", EndpointConfig(url="http://h/v1", model="m")) is None
