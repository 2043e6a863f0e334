"""Segments of text to token ids, remembered per segment. Knows tokenizers, and nothing of steps or tags.

Segments are tokenised one by one and their ids are concatenated, so what a prompt shares with its siblings is
tokenised once and shares its ids whatever comes after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

REMEMBERED = 1 << 16  # segments; about 200 bytes each for short steps


class Tokens:
    """A Hugging Face tokenizer with a memory. ``eos`` are the ids that end a text by themselves."""

    def __init__(self, tokenizer: Any, eos: Sequence[int] = (), remembered: int = REMEMBERED) -> None:
        self._tokenizer = tokenizer
        # What it is behind Hugging Face's calls, which take three to five times as long as what they call.
        self._fast = getattr(tokenizer, "backend_tokenizer", None)
        self._eos = frozenset(eos)
        self._segment = lru_cache(maxsize=remembered)(self._tokenise)
        self.stop_ids = lru_cache(maxsize=256)(self._stop_ids)

    def ids(self, segments: Sequence[str]) -> list[int]:
        """Token ids of the concatenated segments; no token is added before, between or after them."""
        joined: list[int] = []
        for segment in segments:
            joined.extend(self._segment(segment))
        return joined

    def text(self, ids: Sequence[int]) -> str:
        """What the ids say, tags included; an end-of-sequence token at the end says nothing."""
        if ids and ids[-1] in self._eos:
            ids = ids[:-1]
        if self._fast is not None:
            return str(self._fast.decode(ids, skip_special_tokens=False))
        return str(self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _tokenise(self, segment: str) -> tuple[int, ...]:
        if self._fast is not None:
            return tuple(self._fast.encode(segment, add_special_tokens=False).ids)
        return tuple(self._tokenizer.encode(segment, add_special_tokens=False))

    def _stop_ids(self, stops: tuple[str, ...]) -> tuple[int, ...] | None:
        """Ids of the stops where each is one added token of its own, otherwise None.

        An added token is never merged with its neighbours, so the engine can stop on the id and needs no text.
        """
        added = self._tokenizer.get_added_vocab()
        if not all(stop in added for stop in stops):
            return None
        return tuple(added[stop] for stop in stops)


def cut(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """``text`` up to the end of the stop that begins first, and whether there was one; the longest wins a tie.

    >>> cut("a<b>c<d>", ("<d>", "<b>"))
    ('a<b>', True)
    """
    found = [(text.find(stop), -len(stop)) for stop in stops if stop in text]
    if not found:
        return text, False
    begin, length = min(found)
    return text[: begin - length], True
