"""Cut generated text at a stop. Token ids are made and read by ``search.tokens``."""

from __future__ import annotations

from collections.abc import Sequence


def cut(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """Cut ``text`` after the stop that begins first, and return whether there was one; the longest wins a tie.

    >>> cut("a<b>c<d>", ("<d>", "<b>"))
    ('a<b>', True)
    """
    occurrences = [(text.find(stop), -len(stop)) for stop in stops if stop in text]
    if not occurrences:
        return text, False
    begin, negative_length = min(occurrences)
    return text[: begin - negative_length], True
