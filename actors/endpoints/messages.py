"""Lay out a state as messages of a chat API, as the format "chat" lays it out as turns."""

from __future__ import annotations

from collections.abc import Sequence

from search.data import State
from search.formats.chat_format import ChatFormat, turns_of_shot
from search.formats.turns import lay_out, written

Message = dict[str, str]


def chat_messages(form: ChatFormat, state: State) -> list[Message]:
    """Return the messages of a state. The last is the assistant's where the model is to go on with its solution."""
    turns = lay_out(state)
    messages: list[Message] = []
    if form.system is not None:
        messages.append(message("system", form.system))
    for shot in () if turns.is_judgement else form.shots:
        question, solution = turns_of_shot(shot)
        messages += [message("user", question), message("assistant", solution)]
    messages.append(message("user", turns.question))
    for exchange in turns.exchanges:
        solution = exchange.text.rstrip()
        messages += [message("assistant", solution), message("user", exchange.request)]
    if turns.steps:
        messages.append(message("assistant", written(turns.steps)))
    return messages


def is_continued(messages: Sequence[Message]) -> bool:
    """Return whether the model is to go on with the last message."""
    return messages[-1]["role"] == "assistant"


def message(role: str, content: str) -> Message:
    """Return a message of a chat."""
    return {"role": role, "content": content}
