"""Segments to ids and back, with a real tokenizer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.tokenization import Tokens, cut


class Wrapped:
    """A tokenizer with nothing behind it, as those written in Python are; it notes what it is asked to encode."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.asked = inner, []

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        assert add_special_tokens is False
        self.asked.append(text)
        return list(self.inner.encode(text, add_special_tokens=False))

    def decode(self, ids: list[int], **how: bool) -> str:
        return str(self.inner.decode(ids, **how))


def test_segments_are_tokenised_one_by_one(words: Any) -> None:
    tokens = Tokens(words)
    apart = tokens.ids(("xa", "bx"))
    assert apart == words.encode("xa") + words.encode("bx")
    assert apart != words.encode("xabx")  # "ab" would have merged across the boundary


def test_a_segment_is_tokenised_once(words: Any) -> None:
    wrapped = Wrapped(words)
    tokens = Tokens(wrapped)
    tokens.ids(("question", "step one<end_of_step>"))
    tokens.ids(("question", "step one<end_of_step>", "step two<end_of_step>"))
    assert wrapped.asked == ["question", "step one<end_of_step>", "step two<end_of_step>"]


def test_text_keeps_tags_and_drops_the_end(words: Any) -> None:
    tokens = Tokens(words, eos=(words.eos_token_id,))
    ids = words.encode("# Step 1:\nx = 3  # naïve\n<end_of_step>", add_special_tokens=False)
    assert tokens.text([*ids, words.eos_token_id]) == "# Step 1:\nx = 3  # naïve\n<end_of_step>"
    assert tokens.text([words.eos_token_id]) == ""
    assert tokens.text([]) == ""


@given(st.text(max_size=40))
def test_a_tokenizer_behind_its_wrapper_says_the_same(words: Any, text: str) -> None:
    straight, wrapped = Tokens(words), Tokens(Wrapped(words))
    ids = straight.ids((text, f"{text}<end_of_step>"))
    assert ids == wrapped.ids((text, f"{text}<end_of_step>"))
    assert straight.text(ids) == wrapped.text(ids)


def test_stop_ids_only_for_added_tokens(words: Any) -> None:
    tokens = Tokens(words)
    tag = words.convert_tokens_to_ids("<end_of_step>")
    assert tokens.stop_ids(("<end_of_step>",)) == (tag,)
    assert tokens.stop_ids(("<end_of_step>", "\n\n")) is None


@pytest.mark.parametrize(
    ("text", "stops", "expected"),
    [
        ("a<b>c<d>e", ("<d>", "<b>"), ("a<b>", True)),
        ("a\n\nb", ("\n\n",), ("a\n\n", True)),
        ("aXYZ", ("X", "XYZ"), ("aXYZ", True)),
        ("abc", ("d",), ("abc", False)),
        ("", ("d",), ("", False)),
    ],
)
def test_cut_after_the_first_stop(text: str, stops: tuple[str, ...], expected: tuple[str, bool]) -> None:
    assert cut(text, stops) == expected
