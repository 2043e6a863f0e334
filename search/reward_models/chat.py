"""What reward models that read chats share: the model's own template, a conversation as one piece."""

from __future__ import annotations

from collections.abc import Sequence

from search.errors import UserError
from search.formats.base import Piece
from search.formats.chat_template import ChatTemplate, Message, read_chat_template
from search.reward_models.base import ModelFacts


def require_template(facts: ModelFacts, kind: str) -> ChatTemplate:
    """Return the chat template of a model. Raises UserError if it has none."""
    template = read_chat_template(facts.directory)
    if template is None:
        raise UserError(
            f"{facts.directory}: a reward model of the kind {kind} needs a chat template, its tokenizer has none"
        )
    return template


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def conversation(question: str, solution: str) -> Sequence[Message]:
    """Return the question and its solution as two turns."""
    return user(question), assistant(solution)


def render_prompt(template: ChatTemplate, messages: Sequence[Message], literals: Sequence[str]) -> Piece:
    """Return a conversation that the model goes on with as one piece; nothing in ``literals`` is a special token."""
    return (template.render(messages, add_generation_prompt=True), *literals)


def render_whole(template: ChatTemplate, messages: Sequence[Message], literals: Sequence[str]) -> Piece:
    """Return a conversation that has ended as one piece; nothing in ``literals`` is a special token."""
    return (template.render(messages, add_generation_prompt=False), *literals)


def end_of_turn(template: ChatTemplate) -> str:
    """Return what the template writes after the model's last turn, white space around it left out."""
    marker = "The end."
    text = template.render(conversation("?", marker), add_generation_prompt=False)
    return text[text.rindex(marker) + len(marker) :].strip()
