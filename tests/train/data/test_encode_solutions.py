"""What is learnt of single solutions: which tokens, with which labels, and what is left out."""

from __future__ import annotations

import pytest

from search.data import LabelScale, Outcome, Step, StepLabels, Trajectory
from search.formats.code_format import CodeFormat
from tests.fakes.tokenizer import EOS, FINAL, OPEN, PAD, PROBLEM, Merging, encoder
from train.data.encode_solutions import encode_outcomes, encode_step_labels, encode_step_values, encode_trajectories
from train.data.encoding import Encoder
from train.data.label_targets import classes, values
from train.data.tokenized import TokenizedSet

CORRECT, NEUTRAL, INCORRECT = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
MIDDLE = Step("three ab", outcome=Outcome.OK)


def learnt(samples: TokenizedSet, tokens: Merging) -> list[tuple[str, list[float]]]:
    """The target tokens as text, with their labels."""
    pieces = tokens.text(samples.tokens[samples.targets].tolist())
    return list(zip(pieces, samples.labels[samples.targets].tolist(), strict=True))


def test_only_steps_are_targets_each_tokenised_by_itself() -> None:
    code, tokens = encoder()
    samples, dropped = encode_trajectories([Trajectory(PROBLEM, (OPEN, FINAL), correct=True, q=1.0)], code, 100, PAD)
    i = tokens.id
    ours = [i("one"), i(" "), i("ab"), i("ba"), i(" "), i("two"), EOS]
    assert "abba" not in tokens.ids
    assert samples.tokens[-7:].tolist() == ours
    assert samples.targets.tolist() == [False] * (len(samples.tokens) - 7) + [True] * 7
    assert samples.items().tolist() == [7]
    assert dropped == {"too_long": 0, "nothing_to_learn": 0}


def test_code_output_is_no_target() -> None:
    tokens = Merging()
    code = Encoder(tokens, CodeFormat(), EOS)  # type: ignore[arg-type]
    steps = (Step("print(2)<end_of_code>", output="printed", outcome=Outcome.OK), FINAL)
    samples, _ = encode_trajectories([Trajectory(PROBLEM, steps, correct=True, q=1.0)], code, 1000, PAD)
    printed = samples.tokens.tolist().index(tokens.ids["printed"])
    assert not samples.targets[printed]
    assert samples.targets[samples.tokens.tolist().index(tokens.ids["print"])]


def test_no_end_token_without_an_answer() -> None:
    code, _ = encoder()
    unfinished, _ = encode_trajectories([Trajectory(PROBLEM, (OPEN,), correct=False, q=0.0)], code, 100, PAD)
    assert EOS not in unfinished.tokens


def test_too_long_and_empty_solutions_are_counted() -> None:
    code, _ = encoder()
    long = Trajectory(PROBLEM, (Step("x " * 50, outcome=Outcome.OK), FINAL), correct=True, q=1.0)
    nothing = Trajectory(PROBLEM, (), correct=True, q=1.0)
    for encode in (encode_trajectories, encode_outcomes):
        samples, dropped = encode([long, nothing], code, 80, PAD)
        assert len(samples) == 0 and dropped == {"too_long": 1, "nothing_to_learn": 1}


def test_every_token_after_the_prompt_has_the_outcome() -> None:
    code, tokens = encoder()
    records = [
        Trajectory(PROBLEM, (OPEN, FINAL), correct=True, q=1.0),
        Trajectory(PROBLEM, (OPEN,), correct=False, q=-1.0),
    ]
    samples, dropped = encode_outcomes(records, code, 100, PAD)
    solution = ["one", " ", "ab", "ba", " ", "two"]
    assert learnt(samples, tokens) == [(piece, [1.0]) for piece in solution] + [(p, [0.0]) for p in solution[:3]]
    assert samples.targets[samples.starts[1:] - 1].tolist() == [True, True]
    assert EOS not in samples.tokens
    assert samples.items().tolist() == [6, 3]
    assert dropped == {"too_long": 0, "nothing_to_learn": 0}


def test_labels_stand_at_the_last_token_of_each_step() -> None:
    code, tokens = encoder()
    records = [
        StepLabels(PROBLEM, (OPEN, MIDDLE, FINAL), labels=(1, 0, 1)),
        StepLabels(PROBLEM, (OPEN, FINAL), labels=(0.5, -0.25), scale=LabelScale.VALUE),
    ]
    samples, dropped = encode_step_labels(records, code, 100, PAD)
    assert learnt(samples, tokens) == [
        ("ab", list(CORRECT)),
        ("ab", list(NEUTRAL)),
        ("two", list(CORRECT)),
        ("ab", [0.75, 0.0, 0.25]),
        ("two", [0.375, 0.0, 0.625]),
    ]
    assert EOS not in samples.tokens and samples.items().tolist() == [3, 2]
    samples, _ = encode_step_values(records, code, 100, PAD)
    assert learnt(samples, tokens) == [("ab", [1.0]), ("ab", [0.0]), ("two", [1.0]), ("ab", [0.5]), ("two", [-0.25])]
    assert set(dropped.values()) == {0}


def test_sequence_ends_with_the_first_incorrect_step() -> None:
    code, tokens = encoder()
    record = StepLabels(PROBLEM, (OPEN, MIDDLE, FINAL), labels=(1, -1, 1))
    samples, _ = encode_step_labels([record], code, 100, PAD)
    assert learnt(samples, tokens) == [("ab", list(CORRECT)), ("ab", list(INCORRECT))]
    assert tokens.text(samples.tokens[-3:].tolist()) == ["three", " ", "ab"]


def test_step_without_a_label_is_context_only() -> None:
    code, tokens = encoder()
    records = [
        StepLabels(PROBLEM, (OPEN, MIDDLE, FINAL), labels=(None, -1)),
        StepLabels(PROBLEM, (OPEN, MIDDLE, FINAL), labels=(0.5, None, 1.0), scale=LabelScale.SHARE),
        StepLabels(PROBLEM, (OPEN, MIDDLE, FINAL), labels=(1, None, None)),
        StepLabels(PROBLEM, (OPEN, MIDDLE), labels=(None, None)),
    ]
    samples, dropped = encode_step_labels(records, code, 100, PAD)
    assert learnt(samples, tokens) == [
        ("ab", list(INCORRECT)),
        ("ab", [0.5, 0.0, 0.5]),
        ("two", [1.0, 0.0, 0.0]),
        ("ab", list(CORRECT)),
    ]
    assert samples.items().tolist() == [1, 2, 1]
    assert tokens.text(samples.tokens[-3:].tolist()) == ["one", " ", "ab"]  # nothing after the last label
    assert dropped == {"too_long": 0, "nothing_to_learn": 1, "empty_step": 0, "cut": 0}
    samples, _ = encode_step_values(records, code, 100, PAD)
    assert learnt(samples, tokens) == [("ab", [-1.0]), ("ab", [0.0]), ("two", [1.0]), ("ab", [1.0])]


def test_solution_without_a_label_before_the_cut_is_left_out() -> None:
    code, _ = encoder()
    record = StepLabels(PROBLEM, (OPEN, FINAL), labels=(None, -1))
    whole = len(encode_step_labels([record], code, 1000, PAD)[0].tokens)
    samples, dropped = encode_step_labels([record], code, whole - 1, PAD)
    assert len(samples) == 0
    assert dropped == {"too_long": 1, "nothing_to_learn": 0, "empty_step": 0, "cut": 0}


def test_labels_are_read_on_their_scale() -> None:
    steps = (OPEN, MIDDLE, FINAL)
    signs = StepLabels(PROBLEM, steps, labels=(1, 0, -1))
    shares = StepLabels(PROBLEM, steps, labels=(1.0, 0.0, 0.25), scale=LabelScale.SHARE)
    q = StepLabels(PROBLEM, steps, labels=(1.0, -1.0, 0.0), scale=LabelScale.VALUE)
    assert classes(signs) == [CORRECT, NEUTRAL, INCORRECT]
    assert classes(shares) == [CORRECT, INCORRECT, (0.25, 0.0, 0.75)]  # soft labels do not end at a share of 0
    assert classes(q) == [CORRECT, INCORRECT, (0.5, 0.0, 0.5)]
    assert [values(record) for record in (signs, shares, q)] == [
        [(1.0,), (0.0,), (-1.0,)],
        [(1.0,), (-1.0,), (-0.5,)],
        [(1.0,), (-1.0,), (0.0,)],
    ]


@pytest.mark.parametrize(("room", "kept"), [(6, ["ab", "two"]), (5, ["ab"]), (3, ["ab"])])
def test_long_solution_is_cut_after_the_last_step_that_fits(room: int, kept: list[str]) -> None:
    code, tokens = encoder()
    record = StepLabels(PROBLEM, (OPEN, FINAL), labels=(1, -1))
    prompt = len(encode_step_labels([record], code, 1000, PAD)[0].tokens) - 6
    samples, dropped = encode_step_labels([record], code, prompt + room, PAD)
    assert [piece for piece, _ in learnt(samples, tokens)] == kept
    assert len(samples.tokens) == prompt + (6 if kept == ["ab", "two"] else 3)
    assert dropped == {"too_long": 0, "nothing_to_learn": 0, "empty_step": 0, "cut": int(len(kept) == 1)}


def test_solutions_without_a_usable_step_are_counted() -> None:
    code, _ = encoder()
    records = [
        StepLabels(PROBLEM, (Step("x " * 50), FINAL), labels=(1, 1)),
        StepLabels(PROBLEM, (OPEN, FINAL), labels=()),
        StepLabels(PROBLEM, (Step(""),), labels=(1,)),
    ]
    samples, dropped = encode_step_labels(records, code, 80, PAD)
    assert len(samples) == 0
    assert dropped == {"too_long": 1, "nothing_to_learn": 2, "empty_step": 1, "cut": 0}


def test_a_step_without_tokens_loses_its_label_only() -> None:
    """Thinking, which a reward model is not shown, is a step of no tokens."""
    code, tokens = encoder()
    records = [
        StepLabels(PROBLEM, (Step(""), OPEN, FINAL), labels=(1, 0, 1)),
        StepLabels(PROBLEM, (OPEN, Step(""), FINAL), labels=(1, -1)),
    ]
    samples, dropped = encode_step_labels(records, code, 100, PAD)
    assert learnt(samples, tokens) == [("ab", list(NEUTRAL)), ("two", list(CORRECT)), ("ab", list(CORRECT))]
    assert dropped == {"too_long": 0, "nothing_to_learn": 0, "empty_step": 2, "cut": 0}
