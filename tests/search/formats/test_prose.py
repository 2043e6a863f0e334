"""Steps in prose: where they end, and which of them ends a solution."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.data import Candidate, Finish, Problem, State, Step, StepStatus
from search.formats.plain_format import PlainFormat
from search.formats.prose import Before, Delimiter, ends_in_box, parse_prose, split_steps, stop_strings

BLANK_LINE, LINE, NUMBERED = Delimiter
OPEN, FINAL, NO_ANSWER = StepStatus.OPEN, StepStatus.FINAL, StepStatus.NO_ANSWER
PROBLEM = Problem(id="p", question="How many?", answer="2", source="t")

Parsed = list[tuple[str, StepStatus, str | None]]


def parsed(steps: tuple[Step, ...]) -> Parsed:
    return [(step.text, step.status, step.answer) for step in steps]


def prose(text: str, finish: Finish, delimiter: Delimiter = BLANK_LINE, before: Before | None = None) -> Parsed:
    return parsed(parse_prose(text, finish, delimiter, before or Before()))


def plain(text: str, finish: Finish, state: State | None = None) -> Parsed:
    return parsed(PlainFormat().parse(Candidate(text, (), finish), state))


def test_step_at_its_token_limit_is_cut_at_its_last_line_break() -> None:
    assert prose("one line\ntwo lines\nhalf a l", Finish.LENGTH) == [("one line\ntwo lines\n", OPEN, None)]
    assert prose("all of\nit\n", Finish.LENGTH) == [("all of\nit\n", OPEN, None)]
    assert prose("half a l", Finish.LENGTH) == [("half a l", OPEN, None)]
    assert prose("", Finish.LENGTH) == prose("\n\n", Finish.LENGTH) == []


def test_text_goes_on_in_the_middle_of_a_line() -> None:
    begun = Before(solution="half a l", turn="half a l")
    assert prose("ine.\n\n", Finish.STOP, before=begun) == [("ine.\n\n", OPEN, None)]
    assert prose("\n\n", Finish.STOP, before=begun) == [("\n\n", OPEN, None)]  # the end of that line


def test_blank_pieces_are_no_steps() -> None:
    before = Before(solution="a\n\n", turn="a\n\n")
    assert prose("\n\n", Finish.STOP, before=before) == prose(" \n", Finish.STOP) == []
    assert prose("\n\n  b\n\n", Finish.STOP, before=before) == [("  b\n\n", OPEN, None)]
    assert prose("a\n\n\n \nb\n\n", Finish.STOP) == [("a\n\n\n \n", OPEN, None), ("b\n\n", OPEN, None)]


def test_solution_ends_where_the_model_ends() -> None:
    """The last box of the whole solution is its answer, wherever it stands."""
    assert prose("So \\boxed{3}.\n\n", Finish.STOP) == [("So \\boxed{3}.\n\n", OPEN, None)]
    assert prose("a\n\nSo \\boxed{3}.", Finish.END) == [("a\n\n", OPEN, None), ("So \\boxed{3}.", FINAL, "3")]
    before = Before(solution="So \\boxed{3}.\n\n", turn="So \\boxed{3}.\n\n")
    assert prose("", Finish.END, before=before) == [("", FINAL, "3")]
    assert prose("That is right.", Finish.END, before=before) == [("That is right.", FINAL, "3")]
    assert prose("No, \\boxed{4}.", Finish.END, before=before) == [("No, \\boxed{4}.", FINAL, "4")]
    assert prose("", Finish.END) == [("", NO_ANSWER, None)]
    assert prose("I cannot say.", Finish.END) == [("I cannot say.", NO_ANSWER, None)]


def test_base_model_ends_with_a_box_at_the_end_of_a_step() -> None:
    boys = "First \\boxed{3} is the number of boys.\n\n"
    assert plain(boys, Finish.STOP) == [(boys, OPEN, None)]
    assert plain("So $$\\boxed{3}$$.\n\n", Finish.STOP) == [("So $$\\boxed{3}$$.\n\n", FINAL, "3")]
    assert plain(f"{boys}So \\boxed{{5}}.\n\nThe next", Finish.LENGTH) == [
        (boys, OPEN, None),
        ("So \\boxed{5}.\n\n", FINAL, "5"),
    ]
    assert plain("", Finish.END, State(PROBLEM, (Step(boys),))) == [("", FINAL, "3")]


def test_next_question_of_a_base_model_is_the_end() -> None:
    boys = "First \\boxed{3} is the number of boys.\n\nThat is all."
    assert plain(f"{boys}\nQuestion:", Finish.STOP) == plain(boys, Finish.END)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\\boxed{3}", True),
        ("\\[ x = \\boxed{3} \\]", True),
        ("$\\boxed{\\frac{1}{2}}$.", True),
        ("\\begin{align*} x &= \\boxed{3} \\end{align*}\n\n", True),
        ("**\\boxed{3}**", True),
        ("\\boxed{3} boys", False),
        ("\\boxed{3} + 2", False),
        ("no box", False),
        ("\\boxed{3", False),
    ],
)
def test_end_of_a_box(text: str, expected: bool) -> None:
    assert ends_in_box(text) is expected


def test_steps_are_lines() -> None:
    assert prose("a\n\nb\nc", Finish.END, LINE)[:2] == [("a\n\n", OPEN, None), ("b\n", OPEN, None)]
    assert stop_strings(LINE, "a\n") == ("\n",)


def test_steps_are_the_numbers_of_a_list() -> None:
    text = "We plan.\n\n1. First,\n 2.5 times.\n\n2. Second\n1. a sub-list\n3. \\boxed{3}"
    steps = ["We plan.\n\n", "1. First,\n 2.5 times.\n\n", "2. Second\n1. a sub-list\n", "3. \\boxed{3}"]
    assert [step for step, _, _ in prose(text, Finish.END, NUMBERED)] == steps
    for number in range(len(steps)):  # step by step it is the same
        turn, end = "".join(steps[:number]), "".join(steps[number:])
        stops = [(end.index(stop), stop) for stop in stop_strings(NUMBERED, turn) if stop in end]
        if stops:
            place, stop = min(stops)
            drawn = prose(end[:place] + stop, Finish.STOP, NUMBERED, Before(solution=turn, turn=turn))
            assert drawn == [(steps[number], OPEN, None)]


@pytest.mark.parametrize("mark", ["{}.", "{})", "Step {}:", "## Step {}:", "### Step {}.", "**Step {}**", "**{}.**"])
def test_numbers_are_written_in_many_ways(mark: str) -> None:
    first, second = f"{mark.format(1)} a\n\n", f"{mark.format(2)} b"
    assert split_steps(first + second, NUMBERED) == [first, second]
    assert any(second.startswith(stop[1:]) for stop in stop_strings(NUMBERED, first))


@given(
    st.text(st.sampled_from("a1. \n\\{}"), max_size=30),
    st.sampled_from(Delimiter),
    st.sampled_from(["", "a", "a\n\n", "1. a\n"]),
)
def test_no_character_is_lost_but_blank_lines_at_the_start(text: str, delimiter: Delimiter, turn: str) -> None:
    assert "".join(split_steps(text, delimiter, turn)) == text
    steps = parse_prose(text, Finish.END, delimiter, Before(solution=turn, turn=turn))
    assert text.endswith("".join(step.text for step in steps)) or not text.strip()
    assert all(step.text.strip() for step in steps[1:])
    assert all(not step.is_terminal for step in steps[:-1]) and steps[-1].is_terminal


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("So the answer is 24.", "24"),
        ("#### 24", "24"),
        ("The answer is 3, no: \\boxed{24}.", "24"),
        ("It is 24.", None),
    ],
)
def test_stated_answer_counts_when_the_model_ended(text: str, answer: str | None) -> None:
    (step,) = parse_prose(text, Finish.END, Delimiter.BLANK_LINE)
    assert step.answer == answer
