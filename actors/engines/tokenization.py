"""Tokenize segments of text, with a cache per segment.

Segments are tokenized one by one and their ids are concatenated. A segment that many prompts share is tokenized once,
and its ids do not depend on what comes after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

CACHED_SEGMENTS = 1 << 16  # about 200 bytes each for short steps


class Tokens:
    """A Hugging Face tokenizer with a cache. ``eos`` are the ids that end a text by themselves."""

    def __init__(self, tokenizer: Any, eos: Sequence[int] = (), cached_segments: int = CACHED_SEGMENTS) -> None:
        self._tokenizer = tokenizer
        # Hugging Face's own calls take three to five times as long as the Rust tokenizer that they wrap.
        self._rust_tokenizer = getattr(tokenizer, "backend_tokenizer", None)
        self._eos = frozenset(eos)
        self._segment_ids = lru_cache(maxsize=cached_segments)(self._tokenize)
        self.stop_ids = lru_cache(maxsize=256)(self._stop_ids)

    def ids(self, segments: Sequence[str]) -> list[int]:
        """Return the token ids of the segments, concatenated; no token is added before, between or after them."""
        ids: list[int] = []
        for segment in segments:
            ids.extend(self._segment_ids(segment))
        return ids

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of the ids, tags included, without an end-of-sequence token at the end."""
        if ids and ids[-1] in self._eos:
            ids = ids[:-1]
        if self._rust_tokenizer is not None:
            return str(self._rust_tokenizer.decode(ids, skip_special_tokens=False))
        return str(self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _tokenize(self, segment: str) -> tuple[int, ...]:
        if self._rust_tokenizer is not None:
            return tuple(self._rust_tokenizer.encode(segment, add_special_tokens=False).ids)
        return tuple(self._tokenizer.encode(segment, add_special_tokens=False))

    def _stop_ids(self, stops: tuple[str, ...]) -> tuple[int, ...] | None:
        """Return the ids of the stops where each is one added token, otherwise None.

        An added token is never merged with its neighbours, so the engine can stop on the id and needs no text.
        """
        added = self._tokenizer.get_added_vocab()
        if not all(stop in added for stop in stops):
            return None
        return tuple(added[stop] for stop in stops)


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
