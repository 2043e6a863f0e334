"""The template of an exported model renders the prompt that was learned, as transformers renders and tokenises it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from cluster.export.chat_template import exact_template, learnt_template, prompt_of
from search.data import Problem, State
from search.errors import UserError
from search.formats.base import StepFormat
from search.formats.chat_format import ChatFormat
from search.formats.chat_template import ChatTemplate, read_chat_template
from search.formats.code_format import CodeFormat
from search.formats.plain_format import PlainFormat
from search.tokens import TokenEncoder
from tests.fakes.tiny_model import make_tokenizer
from tests.fakes.token_families import FAMILIES, Family

QUESTION = "Tom has 12 apples, and {{buys}} 30 more.\nHow many {% raw %} has he?"
OWN = [CodeFormat(), CodeFormat(released=True), PlainFormat()]
DATED = (
    "{% if date_string is not defined %}{% if strftime_now is defined %}{% set date_string = strftime_now('%d %b %Y') %}"
    "{% else %}{% set date_string = '26 Jul 2024' %}{% endif %}{% endif %}{{ 'Today: ' + date_string + '\\n' }}"
    "{% for message in messages %}{{ message.role + ': ' + message.content + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
THINKING = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}"
)


def user(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


def with_template(tokenizer: Any, template: ChatTemplate) -> Any:
    tokenizer.chat_template = template.text
    return tokenizer


@pytest.mark.parametrize("step_format", OWN, ids=lambda form: f"{form.name}-{getattr(form, 'released', '')}")
def test_own_prompt_is_rendered_by_transformers(step_format: StepFormat) -> None:
    tokenizer = with_template(make_tokenizer(), learnt_template(step_format, ""))
    prompt = prompt_of(step_format, QUESTION)
    assert tokenizer.apply_chat_template(user(QUESTION), tokenize=False, add_generation_prompt=True) == prompt
    started = [*user(QUESTION), {"role": "assistant", "content": "first step\n\nsecond"}]
    rendered = tokenizer.apply_chat_template(started, tokenize=False, continue_final_message=True)
    assert rendered == f"{prompt}first step\n\nsecond"
    assert tokenizer.apply_chat_template(started, tokenize=False) == rendered
    assert prompt.startswith(tokenizer.apply_chat_template(user(QUESTION), tokenize=False))


def test_prompt_that_was_not_learnt_is_refused_by_the_template() -> None:
    tokenizer = with_template(make_tokenizer(), learnt_template(CodeFormat(), ""))
    solved = {"role": "assistant", "content": "42"}
    for messages in ([{"role": "system", "content": "Be brief."}, *user("?")], [*user("?"), solved, *user("And now?")]):
        with pytest.raises(Exception, match="takes one user message"):
            tokenizer.apply_chat_template(messages, tokenize=False)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize("kind", ["chat", "plain", "code"])
def test_ids_equal_those_of_search(family: Family, kind: str, tmp_path: Path) -> None:
    family.save(tmp_path)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    encoder = TokenEncoder.of(tokenizer)
    own = read_chat_template(tmp_path)
    assert own is not None
    step_format = {"chat": ChatFormat(own), "plain": PlainFormat(), "code": CodeFormat()}[kind]
    with_template(tokenizer, exact_template(step_format, tokenizer))
    question = "Tom has 12 apples and buys 30 more. How many apples does he have now?"
    segments = step_format.segments(State(Problem(id="p", question=question, answer="42", source="made up")))
    ids = tokenizer.apply_chat_template(user(question), add_generation_prompt=True, return_dict=False)
    assert ids == encoder.ids([segment.piece for segment in segments])


@pytest.mark.parametrize("thinking", [False, True])
def test_thinking_is_as_it_was_trained(thinking: bool) -> None:
    template = learnt_template(ChatFormat(ChatTemplate(THINKING), thinking=thinking), "")
    tokenizer = with_template(make_tokenizer(), template)
    rendered = tokenizer.apply_chat_template(user("?"), tokenize=False, add_generation_prompt=True)
    assert ("</think>" in rendered) is not thinking
    other = tokenizer.apply_chat_template(
        user("?"), tokenize=False, add_generation_prompt=True, enable_thinking=not thinking
    )
    assert ("</think>" in other) is thinking


def test_date_is_that_of_training() -> None:
    tokenizer = with_template(make_tokenizer(), learnt_template(ChatFormat(ChatTemplate(DATED), system=None), ""))
    assert tokenizer.apply_chat_template(user("?"), tokenize=False).startswith("Today: 26 Jul 2024\n")


def test_system_text_of_the_caller_replaces_the_learnt_one() -> None:
    tokenizer = with_template(
        make_tokenizer(), learnt_template(ChatFormat(ChatTemplate(THINKING), system="Learnt."), "")
    )
    assert "Learnt." in tokenizer.apply_chat_template(user("?"), tokenize=False)
    own = [{"role": "system", "content": "Own."}, *user("?")]
    rendered = tokenizer.apply_chat_template(own, tokenize=False)
    assert "Own." in rendered and "Learnt." not in rendered


def test_template_that_cannot_render_the_prompt_is_refused() -> None:
    template = ChatTemplate("{% for message in messages %}{{ message.content }}{% endfor %}{{ enable_thinking }}")
    with pytest.raises(UserError, match="cannot be made to render the prompt of format 'chat'"):
        learnt_template(ChatFormat(ChatTemplate("\n" + template.text)), "")


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("name", ["qwen-coder-0.5b", "smollm2-135m", "gemma3-270m"])
def test_ids_equal_those_of_search_for_a_real_model(name: str) -> None:
    directory = Path(os.environ.get("RAYSTAR_MODELS", "")) / name
    if not (directory / "config.json").is_file():
        pytest.skip("RAYSTAR_MODELS names no folder with this model")
    tokenizer = AutoTokenizer.from_pretrained(directory)
    encoder = TokenEncoder.of(tokenizer)
    own = read_chat_template(directory)
    step_format = PlainFormat() if own is None else ChatFormat(own)
    with_template(tokenizer, exact_template(step_format, tokenizer))
    segments = step_format.segments(State(Problem(id="p", question="What is 3 + 4?", answer="7", source="made up")))
    ids = tokenizer.apply_chat_template(user("What is 3 + 4?"), add_generation_prompt=True, return_dict=False)
    assert ids == encoder.ids([segments[0].piece])
