"""Segments to token ids and back, with a real tokenizer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engines.tokenization import Tokens, cut


class PythonTokenizer:
    """A tokenizer without a Rust backend; records the texts that it encodes."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.encoded = inner, []

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        assert add_special_tokens is False
        self.encoded.append(text)
        return list(self.inner.encode(text, add_special_tokens=False))

    def decode(self, ids: list[int], **options: bool) -> str:
        return str(self.inner.decode(ids, **options))


def test_segments_are_tokenized_separately(words: Any) -> None:
    tokens = Tokens(words)
    ids = tokens.ids(("xa", "bx"))
    assert ids == words.encode("xa") + words.encode("bx")
    assert ids != words.encode("xabx")  # "ab" would have merged across the boundary


def test_repeated_segment_is_tokenized_once(words: Any) -> None:
    wrapped = PythonTokenizer(words)
    tokens = Tokens(wrapped)
    tokens.ids(("question", "step one<end_of_step>"))
    tokens.ids(("question", "step one<end_of_step>", "step two<end_of_step>"))
    assert wrapped.encoded == ["question", "step one<end_of_step>", "step two<end_of_step>"]


def test_text_keeps_tags_and_drops_eos(words: Any) -> None:
    tokens = Tokens(words, eos=(words.eos_token_id,))
    ids = words.encode("# Step 1:\nx = 3  # naïve\n<end_of_step>", add_special_tokens=False)
    assert tokens.text([*ids, words.eos_token_id]) == "# Step 1:\nx = 3  # naïve\n<end_of_step>"
    assert tokens.text([words.eos_token_id]) == ""
    assert tokens.text([]) == ""


@given(st.text(max_size=40))
def test_rust_and_python_tokenizers_agree(words: Any, text: str) -> None:
    rust, python = Tokens(words), Tokens(PythonTokenizer(words))
    ids = rust.ids((text, f"{text}<end_of_step>"))
    assert ids == python.ids((text, f"{text}<end_of_step>"))
    assert rust.text(ids) == python.text(ids)


def test_stop_ids_exist_only_for_added_tokens(words: Any) -> None:
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
def test_cut_ends_after_the_first_stop(text: str, stops: tuple[str, ...], expected: tuple[str, bool]) -> None:
    assert cut(text, stops) == expected
