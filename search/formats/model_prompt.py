"""Say how a model is prompted: by its own raystar.json, by its chat template, or by the user's settings.

A model that this project trained has a raystar.json, which names the format that it was trained on, with its options.
``prompt_format`` is the one way from a model directory to a step format. Worked examples are shown only to a model that
was not trained on the format that it is prompted in.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from search import serialization
from search.errors import UserError
from search.formats.base import StepFormat
from search.formats.chat_format import SYSTEM_TEXT
from search.formats.chat_template import read_chat_template
from search.formats.code_format import CODE_TAGS
from search.formats.prose import Delimiter
from search.formats.registry import FORMATS, step_format
from search.serialization import read_json_object
from search.storage.files import write_text
from search.storage.schema import SCHEMA_VERSION, UNVERSIONED, check_schema

PROMPT_FILE = "raystar.json"
VERSION_KEY = "schema_version"
AUTO: Final = "auto"
CHAT, CODE, PLAIN = "chat", "code", "plain"
FORMAT_NAMES = tuple(sorted(FORMATS))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrompt:
    """How one model is prompted: what raystar.json holds.

    Attributes:
        format: name of the step format.
        trained_on_format: whether the model was trained on the format, and so needs no worked examples.
        system: system text of the format "chat"; None leaves the template its own.
        thinking: what the chat template is told as ``enable_thinking``.
        delimiter: what ends a step in prose.
        reward_kind: kind of a reward model; None for a policy.
    """

    format: str
    trained_on_format: bool = False
    system: str | None = SYSTEM_TEXT
    thinking: bool = False
    delimiter: Delimiter = Delimiter.BLANK_LINE
    reward_kind: str | None = None


# Of the built-in base policy, also before it is made.
BUILT_IN_PROMPT = ModelPrompt(format=CODE, trained_on_format=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSettings:
    """How the user wants models to be prompted. AUTO leaves it to the model (``choose_prompt``).

    ``shots``: worked examples for models that were not trained on their format. The other fields are those of
    ``ModelPrompt``.
    """

    format: str = AUTO
    system: str | None = AUTO
    thinking: bool | Literal["auto"] = AUTO
    delimiter: Delimiter | Literal["auto"] = AUTO
    shots: tuple[str, ...] = field(default=())


def read_model_prompt(directory: Path) -> ModelPrompt | None:
    """Return how a model directory says that its model is prompted, None if it has no raystar.json.

    Raises UserError if the file is damaged, of another schema version, or names a format that is not known.
    """
    file = directory / PROMPT_FILE
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{file} is damaged: {error}: copy the model again") from error
    if not isinstance(content, dict):
        raise UserError(f"{file} is damaged: a JSON object is needed: copy the model again")
    check_schema(file, content.pop(VERSION_KEY, UNVERSIONED), "export the model again")
    try:
        prompt = serialization.load(ModelPrompt, json.dumps(content))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{file} is damaged: {where}: {first['msg']}: copy the model again") from error
    if prompt.format not in FORMAT_NAMES:
        raise UserError(f"{file}: format {prompt.format!r} is not known: one of {', '.join(FORMAT_NAMES)}")
    return prompt


def write_model_prompt(directory: Path, prompt: ModelPrompt) -> None:
    """Write raystar.json into a model directory."""
    content = {VERSION_KEY: SCHEMA_VERSION, **asdict(prompt)}
    write_text(directory / PROMPT_FILE, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def choose_prompt(directory: Path | None, settings: PromptSettings) -> ModelPrompt:
    """Return how the model in ``directory`` is prompted; None stands for the built-in base policy before it is made.

    What ``settings`` leave to the model is as its raystar.json says. A model without one is prompted in "code" if its
    tokenizer has all tags of that format, in "chat" if it has a chat template, else in "plain".
    """
    stored = BUILT_IN_PROMPT if directory is None else _stored_prompt(directory)
    name = stored.format if settings.format == AUTO else settings.format
    base = stored if stored.format == name else ModelPrompt(format=name)
    return ModelPrompt(
        format=name,
        trained_on_format=base.trained_on_format,
        system=base.system if settings.system == AUTO else settings.system,
        thinking=base.thinking if settings.thinking == AUTO else settings.thinking,
        delimiter=base.delimiter if settings.delimiter == AUTO else Delimiter(settings.delimiter),
        reward_kind=base.reward_kind,
    )


def build_format(prompt: ModelPrompt, directory: Path | None, shots: Sequence[str] = ()) -> StepFormat:
    """Return the step format of one model. ``directory`` holds its chat template.

    Raises UserError if the format is "chat" and there is no template.
    """
    options: dict[str, Any] = {}
    if prompt.format in (CHAT, PLAIN):
        options["delimiter"] = prompt.delimiter
    if prompt.format == CHAT:
        template = read_chat_template(directory) if directory is not None else None
        if template is None:
            raise UserError(
                f"format chat: {directory or 'the built-in base policy'} has no chat template: "
                "choose the format plain, or name a model that has one"
            )
        options |= {"template": template, "system": prompt.system, "thinking": prompt.thinking}
    return step_format(prompt.format, tuple(shots), **options)


def prompt_format(directory: Path | None, settings: PromptSettings) -> StepFormat:
    """Return the step format in which the model in ``directory`` is prompted, by ``choose_prompt``.

    It shows the worked examples of ``settings`` only to a model that was not trained on the format.
    """
    prompt = choose_prompt(directory, settings)
    return build_format(prompt, directory, () if prompt.trained_on_format else settings.shots)


def _stored_prompt(directory: Path) -> ModelPrompt:
    """Return how the files of a model directory say that it is prompted."""
    prompt = read_model_prompt(directory)
    if prompt is not None:
        return prompt
    added = read_json_object(directory / "tokenizer.json").get("added_tokens", [])
    if set(CODE_TAGS) <= {token.get("content") for token in added}:
        return ModelPrompt(format=CODE, trained_on_format=True)
    return ModelPrompt(format=PLAIN if read_chat_template(directory) is None else CHAT)
