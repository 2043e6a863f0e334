"""Pieces to token ids and back, with a small byte-level tokenizer whose tags are added tokens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken

from search.errors import UserError
from search.tokens import TokenEncoder, piece_text
from tests.fakes.tiny_model import make_tokenizer

TAG = "<end_of_step>"
WORDS = make_tokenizer()
PIECES = st.one_of(st.text(max_size=20), st.tuples(st.text(max_size=20), st.sampled_from(["a", TAG, f"x{TAG}"])))


class Counting:
    """A tokenizer that records the texts that it encodes."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.encoded = inner, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def encode(self, text: str, **options: bool) -> Any:
        self.encoded.append(text)
        return self.inner.encode(text, **options)


def ids_of(text: str) -> list[int]:
    return list(WORDS.encode(text, add_special_tokens=False))


def test_pieces_are_encoded_separately() -> None:
    ids = TokenEncoder.of(WORDS).ids(("xa", "bx"))
    assert ids == ids_of("xa") + ids_of("bx")
    assert ids != ids_of("xabx")  # "ab" would have merged across the boundary


def test_repeated_piece_is_encoded_once() -> None:
    tokenizer = Counting(WORDS.backend_tokenizer)
    tokens = TokenEncoder(tokenizer)  # type: ignore[arg-type]
    tokenizer.encoded.clear()
    tokens.ids(("question", f"step one{TAG}"))
    tokens.ids(("question", f"step one{TAG}", f"step two{TAG}"))
    assert tokenizer.encoded == ["question", f"step one{TAG}", f"step two{TAG}"]


@given(st.lists(PIECES, max_size=4))
def test_ids_by_piece_concatenate_to_the_ids(pieces: list[Any]) -> None:
    tokens = TokenEncoder.of(WORDS)
    assert [index for ids in tokens.ids_by_piece(pieces) for index in ids] == tokens.ids(pieces)
    assert tokens.text(tokens.ids(pieces)) == "".join(piece_text(piece) for piece in pieces)


def test_text_keeps_tags_and_drops_eos() -> None:
    tokens = TokenEncoder.of(WORDS, eos_ids=(WORDS.eos_token_id,))
    ids = ids_of(f"# Step 1:\nx = 3  # naïve\n{TAG}")
    assert tokens.text([*ids, WORDS.eos_token_id]) == f"# Step 1:\nx = 3  # naïve\n{TAG}"
    assert tokens.text([WORDS.eos_token_id]) == ""
    assert tokens.text([]) == ""


def test_stop_ids_exist_only_for_added_tokens() -> None:
    tokens = TokenEncoder.of(WORDS)
    assert tokens.stop_ids((TAG,)) == (WORDS.convert_tokens_to_ids(TAG),)
    assert tokens.stop_ids((TAG, "\n\n")) is None


def test_tag_is_a_token_in_text_and_plain_in_a_literal() -> None:
    tokens, tag = TokenEncoder.of(WORDS), WORDS.convert_tokens_to_ids(TAG)
    asked = f"What does {TAG} do?"
    prompt = f"Question: {asked}\n{TAG}"
    assert tokens.ids((prompt,)).count(tag) == 2
    protected = tokens.ids(((prompt, asked),))
    assert protected.count(tag) == 1
    assert protected[-1] == tag
    assert tokens.text(protected) == prompt
    assert tokens.ids(("", (prompt, asked))) == protected


def test_literal_without_control_tokens_changes_no_id() -> None:
    tokens = TokenEncoder.of(WORDS)
    prompt = f"Question: is a < b and [c]?\n{TAG}"
    assert tokens.ids(((prompt, "is a < b and [c]?"),)) == ids_of(prompt)


def test_literal_is_protected_wherever_it_occurs() -> None:
    tokens, tag = TokenEncoder.of(WORDS), WORDS.convert_tokens_to_ids(TAG)
    text = f"<{TAG} and {TAG}{TAG}."
    assert tag not in tokens.ids(((text, f"<{TAG}", f" {TAG}{TAG}."),))
    assert tag not in tokens.ids(((f"{TAG} {TAG}", TAG),))


def test_added_words_stay_tokens_in_a_literal() -> None:
    tokenizer = make_tokenizer()
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in (" 12", "\n\n", "<think>")])
    number, blank, think = tokenizer.convert_tokens_to_ids([" 12", "\n\n", "<think>"])
    ids = TokenEncoder.of(tokenizer).ids((("has 12\n\n<think>", "has 12\n\n<think>"),))
    assert ids.count(number) == ids.count(blank) == 1
    assert think not in ids


def test_explicit_bos_leads_a_prompt() -> None:
    bos = WORDS.convert_tokens_to_ids("<code>")
    tokens = TokenEncoder(WORDS.backend_tokenizer, bos_id=bos)
    assert tokens.ids(("a", "b")) == [bos, *ids_of("a"), *ids_of("b")]
    assert tokens.ids(("<code>a",)) == [bos, *ids_of("a")]


def test_tokenizer_without_a_backend_is_refused() -> None:
    class PythonTokenizer:
        name_or_path = "models/old"

    with pytest.raises(UserError, match=r"models/old is a PythonTokenizer without tokenizer\.json"):
        TokenEncoder.of(PythonTokenizer())
