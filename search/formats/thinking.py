"""Blocks of thinking, ``<think>…</think>``, at the beginning of a model's turn."""

from __future__ import annotations

from collections.abc import Sequence

BEGIN, END = "<think>", "</think>"


def begins_thinking(prompt: str) -> bool:
    """Return whether a prompt ends in the beginning of a block."""
    return prompt.rstrip().endswith(BEGIN)


def is_thinking(turn: str, *, is_begun: bool, is_expected: bool = False) -> bool:
    """Return whether a model's turn is inside a block.

    ``is_begun``: the prompt has begun it. ``is_expected``: the model will begin with one.
    """
    if END in turn:
        return False
    if is_begun:
        return True
    return turn.lstrip().startswith(BEGIN) if turn.strip() else is_expected


def without_thinking_steps(texts: Sequence[str], *, is_begun: bool) -> list[str]:
    """Return the texts of a turn's steps without its block; a step that is nothing else is an empty text."""
    shown: list[str] = []
    thinks = is_begun
    for text in texts:
        thinks = thinks or (not "".join(shown).strip() and text.lstrip().startswith(BEGIN))
        if thinks:
            _, end, text = text.partition(END)
            thinks, text = not end, text.lstrip("\n")
        shown.append(text)
    return shown
