"""Render a model's own chat template as transformers' ``apply_chat_template`` does, by jinja2 alone.

Same environment (``transformers/utils/chat_template_utils.py``): sandboxed and immutable, ``trim_blocks``,
``lstrip_blocks``, loop controls, ``{% generation %}`` blocks, ``raise_exception``, ``tojson``, and the special tokens as
variables. Unlike there ``strftime_now`` is always the same day, so that a prompt is the same today and tomorrow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from search.errors import UserError
from search.serialization import read_json_object

# What ``strftime_now`` renders. Llama 3's template names the same day where it is given none.
TODAY = datetime(2024, 7, 26)
TEMPLATE_FILE, TOKENIZER_CONFIG, SPECIAL_TOKENS = (
    "chat_template.jinja",
    "tokenizer_config.json",
    "special_tokens_map.json",
)
TOKEN_NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")

Message = Mapping[str, str]  # "role" and "content"


class TemplateRefused(UserError):
    """A template that raised an error for these messages, as some do for a system text or two user turns in a row."""


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A chat template: its text, and the special tokens that it names, by their names ("bos_token")."""

    text: str
    special_tokens: tuple[tuple[str, str], ...] = ()

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool, **variables: Any) -> str:
        """Return a conversation as text. Raises TemplateRefused, or UserError where the template is no template."""
        compiled = _compile(self.text)
        try:
            return compiled.render(
                messages=[dict(message) for message in messages],
                tools=None,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                **{**dict(self.special_tokens), **variables},
            )
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise TemplateRefused(f"the chat template cannot render this conversation: {reason}") from error


class GenerationBlock(jinja2.ext.Extension):
    """Reads ``{% generation %}…{% endgeneration %}``, which marks what a model wrote, as its content."""

    tags = {"generation"}  # noqa: RUF012 as jinja2 declares it

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def read_chat_template(directory: Path) -> ChatTemplate | None:
    """Return the chat template in a model directory, None without one.

    It stands in ``chat_template.jinja`` or in ``tokenizer_config.json``, there perhaps as one of several: then it is the
    one called "default". Raises UserError where a file is damaged or the template is none.
    """
    config = read_json_object(directory / TOKENIZER_CONFIG)
    try:
        text: object = (directory / TEMPLATE_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        text = config.get("chat_template")
    except OSError as error:
        raise UserError(f"{directory / TEMPLATE_FILE} cannot be read: {error.strerror}; copy it again") from error
    except ValueError as error:
        raise UserError(f"{directory / TEMPLATE_FILE} is not text: {error}") from error
    if isinstance(text, list):
        named = {str(entry.get("name")): entry.get("template") for entry in text if isinstance(entry, dict)}
        text = named.get("default")
    if not isinstance(text, str):
        return None
    try:
        _compile(text)
    except UserError as error:
        raise UserError(f"{directory}: {error}") from error
    return ChatTemplate(text, _special_tokens(read_json_object(directory / SPECIAL_TOKENS) | config))


def _special_tokens(config: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    tokens: list[tuple[str, str]] = []
    for name in TOKEN_NAMES:
        text = token_text(config.get(name))
        if text is not None:
            tokens.append((name, text))
    return tuple(tokens)


def token_text(token: object) -> str | None:
    """Return the text of a special token as tokenizer_config.json has it: a string, or an object with "content"."""
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


@lru_cache(maxsize=64)
def _compile(text: str) -> jinja2.Template:
    """Compile a template. Raises UserError where it is none."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationBlock, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = TODAY.strftime
    try:
        return environment.from_string(text)
    except TemplateError as error:
        raise UserError(f"its chat template is not one: {' '.join(str(error).split())}") from error


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Return JSON without the escapes for HTML that jinja2's own filter makes."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> None:
    raise TemplateError(message)
