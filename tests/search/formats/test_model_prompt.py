"""How a model is prompted: by its raystar.json, its tokenizer and template, and the user's settings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from search.data import Problem, State
from search.errors import UserError
from search.formats.chat_format import SYSTEM_TEXT, ChatFormat
from search.formats.code_format import CODE_TAGS
from search.formats.model_prompt import (
    BUILT_IN_PROMPT,
    PROMPT_FILE,
    ModelPrompt,
    PromptSettings,
    build_format,
    choose_prompt,
    prompt_format,
    read_model_prompt,
    write_model_prompt,
)
from search.formats.plain_format import PlainFormat
from search.formats.prose import Delimiter
from search.storage.schema import SCHEMA_VERSION
from tests.fakes.prompted_model import make_prompted_model

TRAINED_CHAT = ModelPrompt(
    format="chat", trained_on_format=True, system="Be brief.", thinking=True, delimiter=Delimiter.LINE
)
SHOTS = ("<|user|>: 1 + 1?\n<|assistant|>: 2",)
STATE = State(Problem(id="p", question="3 + 4?", answer="7", source="test"))


@pytest.mark.parametrize(
    "prompt",
    [
        TRAINED_CHAT,
        BUILT_IN_PROMPT,
        ModelPrompt(format="chat", system=None),
        replace(BUILT_IN_PROMPT, reward_kind="ppm"),
    ],
)
def test_prompt_is_read_as_it_was_written(tmp_path: Path, prompt: ModelPrompt) -> None:
    write_model_prompt(tmp_path, prompt)
    assert read_model_prompt(tmp_path) == prompt
    stored = json.loads((tmp_path / PROMPT_FILE).read_text())
    assert (stored["schema_version"], stored["format"]) == (SCHEMA_VERSION, prompt.format)
    (tmp_path / PROMPT_FILE).unlink()
    assert read_model_prompt(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"schema_version": ', "raystar.json is damaged: "),
        ("[1]", "a JSON object is needed"),
        ('{"format": "code"}', "has schema version 1, this RayStar"),
        (f'{{"schema_version": {SCHEMA_VERSION}}}', "raystar.json is damaged: format: "),
        (
            f'{{"schema_version": {SCHEMA_VERSION}, "format": "latex"}}',
            "format 'latex' is not known: one of chat, code",
        ),
        (
            f'{{"schema_version": {SCHEMA_VERSION}, "format": "chat", "thinking": "maybe"}}',
            "raystar.json is damaged: thinking: ",
        ),
    ],
)
def test_damaged_prompt_file_is_refused_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / PROMPT_FILE).write_text(content)
    with pytest.raises(UserError, match=message) as refusal:
        choose_prompt(tmp_path, PromptSettings())
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("template", "tags", "prompt", "expected"),
    [
        (True, CODE_TAGS, TRAINED_CHAT, TRAINED_CHAT),
        (True, (), BUILT_IN_PROMPT, BUILT_IN_PROMPT),
        (True, CODE_TAGS, None, BUILT_IN_PROMPT),
        (True, CODE_TAGS[-2:], None, ModelPrompt(format="chat")),  # Phi-3 has <|user|> and <|assistant|>
        (True, (), None, ModelPrompt(format="chat", system=SYSTEM_TEXT)),
        (False, (), None, ModelPrompt(format="plain")),
    ],
)
def test_auto_follows_the_model(
    tmp_path: Path, template: bool, tags: tuple[str, ...], prompt: ModelPrompt | None, expected: ModelPrompt
) -> None:
    directory = make_prompted_model(tmp_path / "m", template=template, tags=tags, prompt=prompt)
    assert choose_prompt(directory, PromptSettings()) == expected


def test_built_in_policy_is_prompted_in_code_before_it_is_made() -> None:
    assert choose_prompt(None, PromptSettings()) == BUILT_IN_PROMPT
    assert prompt_format(None, PromptSettings(shots=SHOTS)).shots == ()


def test_settings_are_taken_before_the_model(tmp_path: Path) -> None:
    directory = make_prompted_model(tmp_path / "m", template=True, prompt=TRAINED_CHAT)
    settings = PromptSettings(system=None, thinking=False, delimiter=Delimiter.NUMBERED)
    chosen = choose_prompt(directory, settings)
    assert chosen == replace(TRAINED_CHAT, system=None, thinking=False, delimiter=Delimiter.NUMBERED)
    plain = choose_prompt(directory, PromptSettings(format="plain"))
    assert plain == ModelPrompt(format="plain")  # of another format nothing is left, least of all that it was learnt


def test_examples_are_shown_to_untrained_models_only(tmp_path: Path) -> None:
    base = make_prompted_model(tmp_path / "base", template=True)
    trained = make_prompted_model(tmp_path / "trained", template=True, prompt=BUILT_IN_PROMPT)
    for name in ("code", "plain", "chat"):
        settings = PromptSettings(format=name, shots=SHOTS)
        assert "1 + 1?" in prompt_format(base, settings).segments(STATE)[0].text
        assert ("1 + 1?" in prompt_format(trained, settings).segments(STATE)[0].text) == (name != "code")
    bare = build_format(choose_prompt(base, PromptSettings(format="code", shots=SHOTS)), base)
    assert "1 + 1?" not in bare.segments(STATE)[0].text


def test_format_has_the_options_of_its_prompt(tmp_path: Path) -> None:
    directory = make_prompted_model(tmp_path / "m", template=True, prompt=TRAINED_CHAT)
    chat = prompt_format(directory, PromptSettings())
    assert isinstance(chat, ChatFormat)
    assert (chat.system, chat.thinking, chat.delimiter) == ("Be brief.", True, Delimiter.LINE)
    assert chat.segments(STATE)[0].text == "<system>Be brief.</s><user>3 + 4?</s><assistant>"
    plain = prompt_format(directory, PromptSettings(format="plain", delimiter=Delimiter.NUMBERED))
    assert plain == PlainFormat(delimiter=Delimiter.NUMBERED)


def test_chat_format_needs_a_template(tmp_path: Path) -> None:
    for directory in (make_prompted_model(tmp_path / "m"), None):
        with pytest.raises(UserError, match=r"format chat: .* has no chat template: choose the format plain"):
            prompt_format(directory, PromptSettings(format="chat"))
