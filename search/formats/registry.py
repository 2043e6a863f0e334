"""Step formats by name. A new format is one file and one line of ``FORMATS`` here."""

from __future__ import annotations

from collections.abc import Callable

from search.formats.base import StepFormat
from search.formats.code_format import CodeFormat
from search.formats.plain_format import PlainFormat

FORMATS: dict[str, Callable[..., StepFormat]] = {
    "code": CodeFormat,
    "plain": PlainFormat,
}


def step_format(name: str, shots: tuple[str, ...] = ()) -> StepFormat:
    """Return the format called ``name``. Raises KeyError that lists the known names."""
    if name not in FORMATS:
        raise KeyError(f"unknown step format {name!r}: one of {', '.join(sorted(FORMATS))}")
    return FORMATS[name](shots=shots)
