"""Where steps begin and end in tokens, with tokenizers that would merge across their boundary."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoTokenizer

from search.data import Outcome, State, Step
from search.formats.registry import CodeFormat, PlainFormat
from tests.train.trainer.merging import EOS, FINAL, OPEN, PROBLEM, Merging, encoder
from train.data.encoding import Encoder


def test_a_steps_end_is_its_last_token_whatever_the_tokenizer_would_merge() -> None:
    code, tokenise = encoder()
    state = State(PROBLEM, (OPEN, FINAL))
    code.learn([state])
    made = code.encode(state, end=True)
    assert "abba" not in tokenise.ids
    assert tokenise.text([made.tokens[end] for end in made.ends]) == ["ab", "two"]
    assert tokenise.text(made.tokens[made.prompt :]) == ["one", " ", "ab", "ba", " ", "two", "<eos>"]
    assert made.written == [False] * made.prompt + [True] * 7


def test_a_real_tokenizer_merges_the_boundary_and_the_end_stays(tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)

    def tokenise(texts: list[str]) -> list[list[int]]:
        return tokenizer(texts, add_special_tokens=False)["input_ids"]  # type: ignore[no-any-return]

    first, second = "What is pri", "nt(x0 + x1)"
    assert tokenise([first + second])[0] != tokenise([first])[0] + tokenise([second])[0]
    code = Encoder(tokenise, PlainFormat(), EOS)
    state = State(PROBLEM, (Step(first), Step(second)))
    code.learn([state])
    made = code.encode(state, end=False)
    lengths = [len(tokenise([text])[0]) for text in (first, second)]
    assert made.ends == [made.prompt + lengths[0] - 1, made.prompt + sum(lengths) - 1]


def test_a_step_ends_where_a_reward_model_reads_the_state_that_ends_with_it() -> None:
    tokenise = Merging()
    code = Encoder(tokenise, CodeFormat(), EOS)
    steps = (Step("x = 1<end_of_step>"), Step("print(2)<end_of_code>", output="printed", outcome=Outcome.OK), FINAL)
    states = [State(PROBLEM, steps[:k]) for k in range(4)]
    code.learn(states)
    made = code.encode(states[3], end=False)
    scored = [code.encode(state, end=False).tokens for state in states]
    assert made.prompt == len(scored[0])
    assert made.ends == [len(tokens) - 1 for tokens in scored[1:]]
    assert made.tokens[: made.ends[1] + 1] == scored[2]
    assert "printed" in tokenise.text(made.tokens[made.ends[0] + 1 : made.ends[1] + 1])


def test_a_step_without_tokens_leaves_a_gap() -> None:
    code, _ = encoder()
    empty = Step("")
    states = [State(PROBLEM, steps) for steps in ((OPEN, FINAL), (OPEN, empty), (empty, OPEN), ())]
    code.learn(states)
    assert [code.encode(state, end=False).gapless for state in states] == [True, False, False, True]


def test_equal_segments_are_tokenised_once() -> None:
    code, tokenise = encoder()
    state = State(PROBLEM, (OPEN, FINAL))
    code.learn([state, state])
    code.learn([state])
    assert len(tokenise.calls) == 3
