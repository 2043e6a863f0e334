"""Text to steps and back."""

from __future__ import annotations

import pytest

from search.data import Candidate, Finish, Outcome, Problem, State, Step, StepStatus, Until
from search.formats.base import Segment, Source, StepFormat, step_texts, steps_of_texts
from search.formats.code_format import CodeFormat
from search.formats.plain_format import PlainFormat
from search.formats.registry import step_format
from search.grading.extract import boxed_answer

PROBLEM = Problem(id="p", question="How many?", answer="2", source="t")


def parse(text: str, finish: Finish = Finish.STOP) -> list[tuple[str, StepStatus, str | None]]:
    return [(s.code, s.status, s.answer) for s in CodeFormat().parse(Candidate(text, (), finish))]


def test_boxed_answers_keep_their_braces() -> None:
    assert boxed_answer(r"so \boxed{1}, no, \boxed{\frac{1}{2}}.") == r"\frac{1}{2}"
    assert boxed_answer(r"\boxed{1") is None
    assert boxed_answer(r"\boxed{ }") is None


def test_code_steps() -> None:
    text = "\n# Step 1: a\nx = 1<end_of_step>\n# Now print\nprint(x)<end_of_code>"
    assert parse(text) == [
        ("# Step 1: a\nx = 1", StepStatus.OPEN, None),
        ("# Now print\nprint(x)", StepStatus.OPEN, None),
    ]


def test_line_break_after_a_tag_is_rendered_outside_the_step() -> None:
    text = "x = 1<end_of_step>\nprint(x)<end_of_code>"
    steps = CodeFormat().parse(Candidate(text, (), Finish.STOP))
    assert [step.text for step in steps] == ["x = 1<end_of_step>", "print(x)<end_of_code>"]
    written = [segment for segment in CodeFormat().segments(State(PROBLEM, steps)) if segment.source is Source.MODEL]
    assert "".join(segment.text for segment in written) == text + "\n"


def test_answers_and_ends_without_one() -> None:
    assert parse("\n<answer>\\boxed{2}<end_of_answer>") == [("", StepStatus.FINAL, "2")]
    assert parse("\n<answer>two<end_of_answer>") == [("", StepStatus.NO_ANSWER, None)]
    assert parse("\nx = ", Finish.LENGTH) == [("x = ", StepStatus.NO_ANSWER, None)]
    assert parse("<end_of_step>") == [("", StepStatus.NO_ANSWER, None)]


def test_segments_show_output_as_the_world() -> None:
    steps = (Step("x=1<end_of_step>", code="x=1"), Step("print(x)<end_of_code>", code="print(x)", output="1\n"))
    assert CodeFormat().segments(State(PROBLEM, steps)) == (
        Segment("<|user|>: How many?\n<|assistant|>: <code>\n", Source.PROMPT, ("How many?",)),
        Segment("x=1<end_of_step>\n", Source.MODEL),
        Segment("print(x)<end_of_code>\n", Source.MODEL),
        Segment("<output>1<end_of_output>\n", Source.WORLD, ("1",)),
    )


def test_segment_sends_its_literals_with_its_text() -> None:
    assert Segment("a b", Source.PROMPT).piece == "a b"
    assert Segment("a b c", Source.PROMPT, ("a", "c")).piece == ("a b c", "a", "c")


def test_released_prompt_is_that_of_rstar_math() -> None:
    """The prompt of microsoft/rStar, branch rStar-math, rstar_deepthink/few_shots/sft_prompt.json."""
    (prompt,) = step_format("code_released").segments(State(PROBLEM))
    released = "<|user|>:\nHow many?\n<|assistant|>: Let's think step by step and solve the problem with code."
    assert prompt.text == f"{released}<code>\n"


def test_a_reward_model_reads_what_every_step_printed() -> None:
    steps = (
        Step("x=1<end_of_step>", code="x=1", output="1\n", outcome=Outcome.OK),
        Step("# so<end_of_step>", code="# so", outcome=Outcome.OK),
        Step("print(x)<end_of_code>", code="print(x)", output="1\n", outcome=Outcome.OK),
    )
    shown = "".join(segment.text for segment in CodeFormat().for_reward_model().segments(State(PROBLEM, steps))[1:])
    assert shown == (
        "x=1<end_of_step>\n<output>1<end_of_output>\n# so<end_of_step>\n"
        "print(x)<end_of_code>\n<output>1<end_of_output>\n"
    )
    assert PlainFormat(shots=("Q A",)).for_reward_model() == PlainFormat()
    assert CodeFormat(shots=("Q A",)).for_reward_model() == CodeFormat(outputs=True)


def test_stops_depend_on_where_the_solution_is() -> None:
    begun = State(PROBLEM)
    ran = State(PROBLEM, (Step("print(1)<end_of_code>"),))
    assert CodeFormat().stops(begun, Until.STEP) == ("<end_of_step>", "<end_of_code>", "<end_of_answer>")
    assert CodeFormat().stops(begun, Until.PAUSE) == ("<end_of_code>", "<end_of_answer>")
    assert CodeFormat().stops(ran, Until.STEP) == ("<end_of_answer>",)
    assert CodeFormat().concluding(ran) and not CodeFormat().concluding(begun)


def test_plain_examples_stand_a_blank_line_apart() -> None:
    shots = ("Question: One?\nAnswer.\n\n\\boxed{1}", "Question: Two?\nAnswer.\n\n\\boxed{2}")
    (prompt,) = PlainFormat(shots).segments(State(PROBLEM))
    assert prompt.text == (
        "Question: One?\nAnswer.\n\n\\boxed{1}\n\nQuestion: Two?\nAnswer.\n\n\\boxed{2}\n\nQuestion: How many?\n"
        "Answer step by step, a blank line after each step, the final answer in \\boxed{}.\n\n"
    )


def test_unknown_formats_are_named() -> None:
    with pytest.raises(KeyError, match="one of chat, code, code_released, plain"):
        step_format("latex")


CODE_STEPS = (Step("x=1<end_of_step>", code="x=1"), Step("print(x)<end_of_code>", code="print(x)", output="1\n"))
PLAIN_STEPS = (Step("One.\n\n"), Step("Two.\nStill two.\n\n"), Step("\\boxed{2}", status=StepStatus.FINAL, answer="2"))


def test_steps_as_texts_for_files_that_know_no_formats() -> None:
    ran = "print(x)<end_of_code>\n<output>1<end_of_output>"
    assert step_texts(CodeFormat(), State(PROBLEM, CODE_STEPS)) == ("x=1<end_of_step>", ran)
    assert step_texts(PlainFormat(), State(PROBLEM, PLAIN_STEPS)) == ("One.", "Two.\nStill two.", "\\boxed{2}")
    assert step_texts(PlainFormat(), State(PROBLEM)) == ()


@pytest.mark.parametrize(("form", "steps"), [(CodeFormat(), CODE_STEPS), (PlainFormat(shots=("Q A",)), PLAIN_STEPS)])
def test_a_judge_reads_the_same_from_texts_as_from_steps(form: StepFormat, steps: tuple[Step, ...]) -> None:
    def read(some: tuple[Step, ...]) -> str:
        return "".join(segment.text for segment in form.segments(State(PROBLEM, some)))

    texts = step_texts(form, State(PROBLEM, steps))
    back = steps_of_texts(form, texts)
    for end in range(len(steps) + 1):
        assert read(back[:end]) == read(steps[:end])
