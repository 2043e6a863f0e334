"""Where steps begin and end in tokens, with tokenizers that would merge across their boundary."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoTokenizer

from search.data import Outcome, State, Step
from search.formats.code_format import CodeFormat
from search.formats.plain_format import PlainFormat
from search.tokens import TokenEncoder
from tests.fakes.tokenizer import EOS, FINAL, OPEN, PROBLEM, Merging, encoder
from train.data.encoding import Encoder


def test_step_end_is_its_last_token_despite_merges() -> None:
    code, tokens = encoder()
    state = State(PROBLEM, (OPEN, FINAL))
    encoded = code.encode(state, end=True)
    assert "abba" not in tokens.ids
    assert tokens.text([encoded.tokens[end] for end in encoded.ends]) == ["ab", "two"]
    assert tokens.text(encoded.tokens[encoded.prompt :]) == ["one", " ", "ab", "ba", " ", "two", "<eos>"]
    assert encoded.is_generated == [False] * encoded.prompt + [True] * 7


def test_step_end_holds_with_a_real_bpe_tokenizer(tiny_model: Path) -> None:
    tokens = TokenEncoder.of(AutoTokenizer.from_pretrained(tiny_model))
    first, second = "What is pri", "nt(x0 + x1)"
    assert tokens.ids((first + second,)) != tokens.ids((first, second))
    encoded = Encoder(tokens, PlainFormat(), EOS).encode(State(PROBLEM, (Step(first), Step(second))), end=False)
    lengths = [len(tokens.ids((text,))) for text in (first, second)]
    assert encoded.ends == [encoded.prompt + lengths[0] - 1, encoded.prompt + sum(lengths) - 1]


def test_step_end_is_where_a_reward_model_reads_the_state() -> None:
    tokens = Merging()
    code = Encoder(tokens, CodeFormat(), EOS)  # type: ignore[arg-type]
    steps = (Step("x = 1<end_of_step>"), Step("print(2)<end_of_code>", output="printed", outcome=Outcome.OK), FINAL)
    states = [State(PROBLEM, steps[:k]) for k in range(4)]
    encoded = code.encode(states[3], end=False)
    scored = [code.encode(state, end=False).tokens for state in states]
    assert encoded.prompt == len(scored[0])
    assert encoded.ends == [len(tokens) - 1 for tokens in scored[1:]]
    assert encoded.tokens[: encoded.ends[1] + 1] == scored[2]
    assert "printed" in tokens.text(encoded.tokens[encoded.ends[0] + 1 : encoded.ends[1] + 1])


def test_step_without_tokens_is_noticed() -> None:
    code, _ = encoder()
    empty = Step("")
    states = [State(PROBLEM, steps) for steps in ((OPEN, FINAL), (OPEN, empty), (empty, OPEN), ())]
    noticed = [code.encode(state, end=False).is_empty for state in states]
    assert noticed == [[False, False], [False, True], [True, False], []]
