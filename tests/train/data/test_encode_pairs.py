"""What is learnt of preference pairs, by a judge and by a policy."""

from __future__ import annotations

from dataclasses import replace

from search.data import Outcome, PreferencePair, Step
from search.formats.code_format import CodeFormat
from tests.fakes.tokenizer import EOS, FINAL, OPEN, PAD, PROBLEM, Merging, encoder
from train.data.encode_pairs import encode_pairs, encode_preferences
from train.data.encoding import Encoder

OTHER = Step("three", outcome=Outcome.OK)


def pair(prefix: tuple[Step, ...], chosen: tuple[Step, ...], rejected: tuple[Step, ...]) -> PreferencePair:
    return PreferencePair(
        problem=PROBLEM, prefix=prefix, chosen=chosen, rejected=rejected, chosen_q=1.0, rejected_q=0.0
    )


def test_reward_model_sees_no_end_token() -> None:
    code, _ = encoder()
    samples, _ = encode_pairs([pair((), (OPEN, FINAL), (OPEN,))], code, 100, PAD)
    assert EOS not in samples.tokens
    assert len(samples) == 1 and samples.items().tolist() == [1]


def test_pairs_keep_their_weights_when_others_are_left_out() -> None:
    code, _ = encoder()
    light = replace(pair((), (OPEN,), (OTHER,)), weight=0.25)
    records = [pair((), (OPEN,), (OPEN,)), light, pair((), (OPEN, FINAL), (OPEN,))]
    for encode in (encode_pairs, encode_preferences):
        samples, dropped = encode(records, code, 100, PAD)
        assert (samples.unit_weights.tolist(), dropped["same_text"]) == ([0.25, 1.0], 1)


def test_policy_targets_follow_the_shared_prefix() -> None:
    code, tokens = encoder()
    samples, _ = encode_preferences([pair((OPEN,), (FINAL,), (OTHER,))], code, 100, PAD)
    assert tokens.text(samples.tokens[samples.targets].tolist()) == ["ba", " ", "two", "<eos>", "three"]
    assert len(samples) == 1 and samples.items().tolist() == [1]
    assert samples.targets[
        samples.starts[1] - 4 : samples.starts[1]
    ].all()  # the chosen side: four tokens, all at its end


def test_whole_solutions_are_targets_from_the_first_token() -> None:
    code, tokens = encoder()
    samples, _ = encode_preferences([pair((), (OPEN, FINAL), (OTHER,))], code, 100, PAD)
    ours = ["one", " ", "ab", "ba", " ", "two", "<eos>", "three"]
    assert tokens.text(samples.tokens[samples.targets].tolist()) == ours


def test_code_output_is_no_target() -> None:
    tokens = Merging()
    code = Encoder(tokens, CodeFormat(), EOS)  # type: ignore[arg-type]
    program = Step("print(2)<end_of_code>", output="printed", outcome=Outcome.OK)
    samples, _ = encode_preferences([pair((program,), (FINAL,), (OTHER,))], code, 1000, PAD)
    assert tokens.text(samples.tokens[samples.targets].tolist()) == ["ba", " ", "two", "<eos>", "three"]
    samples, _ = encode_preferences([pair((), (program, FINAL), (OTHER,))], code, 1000, PAD)
    assert "printed" in tokens.text(samples.tokens.tolist())
    assert "printed" not in tokens.text(samples.tokens[samples.targets].tolist())


def test_useless_pairs_are_counted() -> None:
    code, _ = encoder()
    same = pair((), (OPEN,), (OPEN,))
    long = pair((), (OPEN,), (Step("x " * 50),))
    empty = pair((), (OPEN,), ())
    samples, dropped = encode_pairs([same, long], code, 80, PAD)
    assert len(samples) == 0 and dropped == {"too_long": 1, "same_text": 1}
    samples, dropped = encode_preferences([same, long, empty], code, 80, PAD)
    assert len(samples) == 0 and dropped == {"too_long": 1, "same_text": 1, "nothing_to_learn": 1}
