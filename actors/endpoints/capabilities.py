"""Say what a server accepts, once it was probed, and how a search worker receives it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from actors.endpoints.config import EndpointConfig

Api = Literal["completions", "continue", "chat"]
STOP_REASON, MATCHED_STOP = "stop_reason", "matched_stop"  # vLLM's and SGLang's field for the string that ended a text
CONTINUATION = {"continue_final_message": True, "add_generation_prompt": False}
NEW_LIMIT, OLD_LIMIT = "max_completion_tokens", "max_tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a server accepts.

    Attributes:
        api: how it is asked.
        names_stop: its responses say which string ended a text. Elsewhere texts are cut here, at the price of the tokens
            behind the cut, because the end of a step and the end of a solution look the same.
        limit_field: the chat API's name of the token limit.
        keeps_space: white space at the end of a continued message is read. Where it is not, a model begins the next step
            with the blank line that ended the last one, at which the server must not stop.
    """

    api: Api
    names_stop: bool = False
    limit_field: str = OLD_LIMIT
    keeps_space: bool = True

    @property
    def continues(self) -> bool:
        """Whether a solution can be continued after its first steps."""
        return self.api != "chat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server that was probed. ``key`` shows in no text of this record.

    ``tokenizer``: directory with the model's tokenizer, by which prompts are sent as token ids.
    """

    config: EndpointConfig
    capabilities: Capabilities
    key: SecretStr | None = None
    tokenizer: Path | None = None
