"""Write the chat template that renders the prompt which a model was trained on.

For a format with a prompt of its own (code, plain) the template is made from that prompt. For "chat" it is the model's
own, with what training fixed as defaults: the system text, thinking switched on or off, the date.
"""

from __future__ import annotations

import json
import re
from typing import Any

from search.data import Problem, State
from search.errors import UserError
from search.formats.base import StepFormat
from search.formats.chat_format import ChatFormat, takes_system_text
from search.formats.chat_template import TODAY, ChatTemplate
from search.tokens import TokenEncoder

QUESTION = "\x00question\x00"  # stands for the user's text; no format writes it
SAMPLE_QUESTION = "What is 3 + 4?"
STRFTIME = re.compile(r"""strftime_now\(\s*(?P<quote>['"])(?P<format>.*?)(?P=quote)\s*\)""")
OWN_PROMPT = """\
{{#- The prompt that this model was trained on: one question. A solution is text as the model wrote it. -#}}
{{%- for message in messages -%}}
{{%- if message['role'] == 'user' and loop.first -%}}
{{{{- {before} ~ message['content'] -}}}}
{{%- elif message['role'] == 'assistant' and loop.index == 2 -%}}
{{{{- {after} ~ message['content'] -}}}}
{{%- else -%}}
{{{{- raise_exception('this model takes one user message, without a system text, and one assistant message') -}}}}
{{%- endif -%}}
{{%- endfor -%}}
{{%- if add_generation_prompt and messages | length == 1 -%}}
{{{{- {after} -}}}}
{{%- endif -%}}"""
DEFAULT_SYSTEM = """\
{{%- if messages[0]['role'] != 'system' -%}}
{{%- set messages = [{{'role': 'system', 'content': {system}}}] + messages -%}}
{{%- endif %}}"""
SYSTEM_IN_QUESTION = """\
{{%- set messages = [{{'role': messages[0]['role'], 'content': {system} ~ messages[0]['content']}}] + messages[1:] %}}"""
DEFAULT_THINKING = "{{%- if enable_thinking is not defined %}}{{%- set enable_thinking = {thinking} %}}{{%- endif %}}"


def prompt_of(step_format: StepFormat, question: str) -> str:
    """Return the prompt of a format for a question."""
    problem = Problem(id="", question=question, answer="", source="")
    return step_format.segments(State(problem))[0].text


def exact_template(step_format: StepFormat, tokenizer: Any) -> ChatTemplate:
    """Return the chat template whose rendering of a question has the ids of the format's prompt in training and search.

    ``tokenizer``: transformers' tokenizer. Raises UserError if no such template can be made.
    """
    encoder = TokenEncoder.of(tokenizer)
    expected = encoder.ids([prompt_of(step_format, SAMPLE_QUESTION)])
    leading = "".join(tokenizer.convert_ids_to_tokens(list(encoder.leading_ids)))
    for text in (leading, f"{leading} "):  # some tokenizers put a space before a text, but none after BOS
        template = learnt_template(step_format, text)
        rendered = template.render([{"role": "user", "content": SAMPLE_QUESTION}], add_generation_prompt=True)
        if tokenizer(rendered, add_special_tokens=False)["input_ids"] == expected:
            return template
    raise UserError(
        f"the prompt of format {step_format.name!r} cannot be given by a chat template: the tokenizer splits it in another "
        "way there"
    )


def learnt_template(step_format: StepFormat, leading: str) -> ChatTemplate:
    """Return a chat template whose rendering of a question is the format's prompt.

    ``leading``: what the tokenizer puts before every text, usually BOS or nothing; a chat template has to write it itself,
    because its rendering is tokenised without special tokens. Raises UserError if no such template can be made.
    """
    if isinstance(step_format, ChatFormat):
        template = _with_defaults(step_format)
    else:
        before, question, after = prompt_of(step_format, QUESTION).partition(QUESTION)
        if not question or QUESTION in after:
            raise UserError(f"format {step_format.name!r} has no prompt with one question in it: it cannot be exported")
        template = ChatTemplate(OWN_PROMPT.format(before=_literal(leading + before), after=_literal(after)))
    expected = prompt_of(step_format, SAMPLE_QUESTION)
    if not isinstance(step_format, ChatFormat):
        expected = leading + expected
    rendered = template.render([{"role": "user", "content": SAMPLE_QUESTION}], add_generation_prompt=True)
    if rendered != expected:
        raise UserError(
            f"the chat template cannot be made to render the prompt of format {step_format.name!r}: it gives {rendered!r}, "
            f"the format {expected!r}"
        )
    return template


def _with_defaults(step_format: ChatFormat) -> ChatTemplate:
    """Return the model's own template with the format's system text, thinking and date as defaults."""
    model_template = step_format.template
    text = STRFTIME.sub(lambda match: _literal(TODAY.strftime(match["format"])), model_template.text)
    if "enable_thinking" in text:
        text = DEFAULT_THINKING.format(thinking=str(step_format.thinking).lower()) + text
    if step_format.system is not None:
        default = DEFAULT_SYSTEM if takes_system_text(model_template) else SYSTEM_IN_QUESTION
        suffix = "" if default is DEFAULT_SYSTEM else "\n\n"
        text = default.format(system=_literal(step_format.system + suffix)) + text
    return ChatTemplate(text, model_template.special_tokens)


def _literal(text: str) -> str:
    """Return a text as a string in a template."""
    return json.dumps(text, ensure_ascii=False)
