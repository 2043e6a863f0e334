"""What people said, as labels and outcomes: every rule of PRM800K by hand."""

from __future__ import annotations

import pytest

from search import serialization
from search.data import StepLabels, StepStatus
from search.grading.grader import grader
from tests.train.labels.prm800k_rows import FIRST_PHASE, SECOND_PHASE, Json, candidate, changed, row, step
from train.labels.first_error import first_error, labels_complete
from train.labels.human_labels import RowLabels, labels_of, outcome_of, problem_of, step_in_words, why_left_out
from train.labels.prm800k import Prm800kRow
from train.labels.targets import classes

RIGHT, NEUTRAL, WRONG = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def parsed(made: Json) -> Prm800kRow:
    return serialization.load(Prm800kRow, serialization.dump(made))


def labels(made: Json) -> RowLabels:
    return labels_of(parsed(made), problem_of(parsed(made)))


def seen(found: list[StepLabels] | tuple[StepLabels, ...]) -> list[tuple[str, tuple[float | None, ...]]]:
    """The words of a record's steps and its labels."""
    return [(" ".join(s.text.partition("\n")[0] for s in one.steps), one.labels) for one in found]


def test_a_row_of_the_first_phase() -> None:
    found = labels(FIRST_PHASE)
    assert seen(found.records) == [
        ("Three. Plus four. So it is 7.", (1, None, 1)),  # the person's own step leads on and has no rating
        ("Two.", (-1,)),
        ("Hm.", (0,)),
        ("Three. Times four.", (None, -1)),
        ("Three. Minus four.", (None, -1)),
    ]
    assert (found.whole, found.null_ratings, found.unreachable) == (True, 1, 0)
    examples = [label for one in found.records for label in classes(one) if label is not None]
    assert examples == [RIGHT, RIGHT, WRONG, NEUTRAL, WRONG, WRONG]  # six rated candidates, each once


def test_a_row_of_the_second_phase() -> None:
    found = labels(SECOND_PHASE)
    assert seen(found.records) == [
        (
            "Let us see. Three. Times four. So it is 12.",
            (0, 1, -1),
        ),  # the whole solution, labelled as far as people went
        ("Let us see. Three. Plus four.", (None, None, 1)),
    ]
    assert (found.whole, found.null_ratings, found.unreachable) == (False, 1, 0)
    whole = found.records[0]
    assert first_error(whole) == 2 and labels_complete(whole)
    assert classes(whole) == [NEUTRAL, RIGHT, WRONG]


def test_steps_read_as_words_with_a_blank_line_after_each_but_the_last() -> None:
    steps = labels(SECOND_PHASE).records[0].steps
    assert [s.text for s in steps[:2]] == ["Let us see.\n\n", "Three.\n\n"]
    assert (steps[3].text, steps[3].status, steps[3].answer) == (
        "So it is 12.\n\n# Answer\n\n12",
        StepStatus.FINAL,
        "12",
    )
    assert step_in_words(("a", "b\n\n")).text == "b\n\n"
    assert step_in_words(("# Answer\n\n\\frac{1}{2} \n",)).answer == "\\frac{1}{2}"
    assert step_in_words(("# Answer",)).status is StepStatus.OPEN


def test_where_nothing_was_chosen_the_solutions_own_step_ends_it() -> None:
    made = row(
        step(candidate("Plus four.", 1), candidate("Times four.", -1), chosen=None),
        step(candidate("Never reached.", 1)),
        finish="found_error",
        given=["Times four.", "So 12."],
    )
    found = labels(made)
    assert seen(found.records) == [("Times four. So 12.", (-1,)), ("Plus four.", (1,))]
    assert (found.whole, found.unreachable) == (False, 1)
    unknown = changed(made, question__pre_generated_steps=None)
    assert seen(labels(unknown).records) == [("Plus four.", (1,)), ("Times four.", (-1,))]  # else the first one
    unrated = changed(made, label__steps__0__completions__1__rating=None)
    assert seen(labels(unrated).records) == [("Plus four.", (1,))]
    assert labels(unrated).null_ratings == 1
    nothing = changed(made, label__steps__0__completions=[])
    assert labels(nothing) == RowLabels((), (), False, 0, 1)


def test_supervision_ends_with_a_wrong_step_that_was_chosen() -> None:
    made = row(step(candidate("Three.", 1)), step(candidate("Times four.", -1)), step(candidate("So 12.", 1)))
    found = labels(made)
    assert seen(found.records) == [("Three. Times four.", (1, -1))]
    assert (found.whole, found.unreachable) == (False, 1)


def test_a_null_rating_is_no_example() -> None:
    made = row(step(candidate("Three.", None)), step(candidate("Plus four.", 1)), step(candidate("So 7.", None)))
    assert seen(labels(made).records) == [("Three. Plus four. So 7.", (None, 1, None))]
    assert classes(labels(made).records[0]) == [None, RIGHT]
    bare = row(step(candidate("Three.", None)), step(candidate("Plus four.", None)))
    assert labels(bare).records == ()
    assert labels(bare).null_ratings == 2


def test_equal_candidates_are_examples_each() -> None:
    made = row(step(candidate("Three.", 1), candidate("Three.", 1), chosen=1))
    assert seen(labels(made).records) == [("Three.", (1,)), ("Three.", (1,))]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (FIRST_PHASE, None),
        (SECOND_PHASE, None),
        (changed(FIRST_PHASE, label__finish_reason=None), None),
        (changed(FIRST_PHASE, is_quality_control_question=True), "quality_control"),
        (changed(FIRST_PHASE, is_initial_screening_question=True), "screening"),
        (changed(FIRST_PHASE, label__finish_reason="bad_problem"), "bad_problem"),
        (changed(SECOND_PHASE, label__finish_reason="give_up"), "give_up"),
    ],
)
def test_rows_that_are_left_out(made: Json, reason: str | None) -> None:
    assert why_left_out(parsed(made)) == reason


def outcome(made: Json) -> tuple[int, bool, float] | None:
    one = parsed(made)
    found = outcome_of(one, problem_of(one), labels(made), grader())
    return found and (len(found.steps), found.correct, found.q)


def test_outcomes_are_graded_or_follow_from_the_label() -> None:
    assert outcome(SECOND_PHASE) == (4, False, -1.0)  # all four steps, with the answer 12 instead of 7
    assert outcome(changed(SECOND_PHASE, question__pre_generated_answer="7.0")) == (4, True, 1.0)
    assert outcome(changed(SECOND_PHASE, question__pre_generated_answer=None)) == (4, False, -1.0)
    assert outcome(changed(SECOND_PHASE, question__ground_truth_answer=None)) is None
    assert outcome(FIRST_PHASE) == (3, True, 1.0)
    assert outcome(changed(FIRST_PHASE, label__finish_reason="found_error")) is None
    assert outcome(changed(FIRST_PHASE, label__steps__1__human_completion=None)) is None  # broken off


def test_a_problem_is_known_by_what_it_asks() -> None:
    one, other = problem_of(parsed(FIRST_PHASE)), problem_of(parsed(SECOND_PHASE))
    assert one == other and one.source == "prm800k"
    assert problem_of(parsed(changed(FIRST_PHASE, question__problem="Else?"))).id != one.id
