"""Step formats by name. A new format is one file and one line of ``FORMATS`` here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from search.formats.base import StepFormat
from search.formats.chat_format import ChatFormat
from search.formats.code_format import CodeFormat
from search.formats.plain_format import PlainFormat

FORMATS: dict[str, Callable[..., StepFormat]] = {
    "chat": ChatFormat,
    "code": CodeFormat,
    "code_released": partial(CodeFormat, name="code_released", released=True),
    "plain": PlainFormat,
}


def step_format(name: str, shots: tuple[str, ...] = (), **options: Any) -> StepFormat:
    """Return the format called ``name``; ``options`` are fields of its own, of which "chat" needs ``template``.

    Raises KeyError that lists the known names.
    """
    if name not in FORMATS:
        raise KeyError(f"unknown step format {name!r}: one of {', '.join(sorted(FORMATS))}")
    return FORMATS[name](shots=shots, **options)
