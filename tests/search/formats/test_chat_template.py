"""Chat templates rendered without transformers, compared with transformers itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from search.errors import UserError
from search.formats.chat_template import ChatTemplate, TemplateRefused, read_chat_template
from tests.search.formats.chat_templates import CONVERSATIONS, EVERY_FEATURE, TEMPLATES


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_is_rendered_as_transformers_does(name: str) -> None:
    template = TEMPLATES[name]
    for messages in CONVERSATIONS:
        for prompt in (True, False):
            options = {"add_generation_prompt": prompt, "enable_thinking": False}
            expected, _ = render_jinja_template(
                [messages], chat_template=template.text, **options, **dict(template.special_tokens)
            )
            assert template.render(messages, **options) == expected[0]  # type: ignore[arg-type]


def test_every_feature_of_the_environment_is_there() -> None:
    messages = [{"role": "user", "content": 'é "<b>"'}, {"role": "assistant", "content": "skip"}]
    expected, _ = render_jinja_template([messages], chat_template=EVERY_FEATURE, bos_token="<s>")
    rendered = ChatTemplate(EVERY_FEATURE, (("bos_token", "<s>"),)).render(messages, add_generation_prompt=False)
    assert rendered == expected[0]


def test_date_is_always_the_same() -> None:
    template = ChatTemplate("{{ strftime_now('%d %b %Y') }}")
    assert template.render([], add_generation_prompt=True) == "26 Jul 2024"


@pytest.mark.parametrize(
    "text",
    [
        "{{ raise_exception('no system text') }}",
        "{{ messages[7].content + 'a' }}",
        "{{ 1 / 0 }}",
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__mro__ }}{{ ''.__class__.__mro__[1].__subclasses__() }}",
    ],
)
def test_template_that_fails_is_a_user_error(text: str) -> None:
    with pytest.raises(TemplateRefused, match="the chat template cannot render this conversation: "):
        ChatTemplate(text).render([{"role": "user", "content": "?"}], add_generation_prompt=True)


def write(directory: Path, **files: object) -> Path:
    for name, content in files.items():
        (directory / f"{name}.json").write_text(json.dumps(content))
    return directory


def test_template_is_read_from_every_place(tmp_path: Path) -> None:
    tokens = {"bos_token": {"content": "<s>", "lstrip": False}, "eos_token": "</s>", "pad_token": None}
    assert read_chat_template(write(tmp_path, tokenizer_config=tokens)) is None
    write(tmp_path, tokenizer_config={**tokens, "chat_template": "{{ bos_token }}"})
    assert read_chat_template(tmp_path) == ChatTemplate(
        "{{ bos_token }}", (("bos_token", "<s>"), ("eos_token", "</s>"))
    )
    several = [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]
    write(tmp_path, tokenizer_config={"chat_template": several}, special_tokens_map={"bos_token": "<b>"})
    assert read_chat_template(tmp_path) == ChatTemplate("d", (("bos_token", "<b>"),))
    (tmp_path / "chat_template.jinja").write_text("in a file of its own")
    assert read_chat_template(tmp_path) == ChatTemplate("in a file of its own", (("bos_token", "<b>"),))


def test_damaged_template_names_its_directory(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text("{% for %}")
    with pytest.raises(UserError, match=f"{tmp_path}: its chat template is not one: "):
        read_chat_template(tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    (tmp_path / "chat_template.jinja").mkdir()
    with pytest.raises(UserError, match=r"chat_template.jinja cannot be read: Is a directory"):
        read_chat_template(tmp_path)
