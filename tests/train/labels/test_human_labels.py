"""What people said, as labels and outcomes: every rule of PRM800K by hand."""

from __future__ import annotations

import pytest

from search import serialization
from search.data import StepLabels, StepStatus
from search.grading.grader import grader
from tests.train.labels.prm800k_rows import FIRST_PHASE, SECOND_PHASE, Json, candidate, changed, row, step
from train.data.label_targets import classes
from train.labels.first_error import first_error, labels_complete
from train.labels.human_labels import RowLabels, labels_of, outcome_of, parse_step, problem_of, why_left_out
from train.labels.prm800k import Prm800kRow

CORRECT, NEUTRAL, INCORRECT = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def parsed(row_json: Json) -> Prm800kRow:
    return serialization.load(Prm800kRow, serialization.dump(row_json))


def labels(row_json: Json) -> RowLabels:
    return labels_of(parsed(row_json), problem_of(parsed(row_json)))


def words_and_labels(
    row_labels: list[StepLabels] | tuple[StepLabels, ...],
) -> list[tuple[str, tuple[float | None, ...]]]:
    """The words of a record's steps and its labels."""
    return [(" ".join(s.text.partition("\n")[0] for s in record.steps), record.labels) for record in row_labels]


def test_first_phase_row_gives_solution_and_alternatives() -> None:
    row_labels = labels(FIRST_PHASE)
    assert words_and_labels(row_labels.records) == [
        ("Three. Plus four. So it is 7.", (1, None, 1)),  # the person's own step leads on and has no rating
        ("Two.", (-1,)),
        ("Hm.", (0,)),
        ("Three. Times four.", (None, -1)),
        ("Three. Minus four.", (None, -1)),
    ]
    assert (row_labels.is_whole, row_labels.null_ratings, row_labels.unreachable) == (True, 1, 0)
    examples = [label for record in row_labels.records for label in classes(record) if label is not None]
    assert examples == [CORRECT, CORRECT, INCORRECT, NEUTRAL, INCORRECT, INCORRECT]  # six rated candidates, each once


def test_second_phase_row_is_labelled_to_the_first_error() -> None:
    row_labels = labels(SECOND_PHASE)
    assert words_and_labels(row_labels.records) == [
        (
            "Let us see. Three. Times four. So it is 12.",
            (0, 1, -1),
        ),  # the whole solution, labelled as far as people went
        ("Let us see. Three. Plus four.", (None, None, 1)),
    ]
    assert (row_labels.is_whole, row_labels.null_ratings, row_labels.unreachable) == (False, 1, 0)
    whole = row_labels.records[0]
    assert first_error(whole) == 2 and labels_complete(whole)
    assert classes(whole) == [NEUTRAL, CORRECT, INCORRECT]


def test_steps_end_with_a_blank_line_but_the_last() -> None:
    steps = labels(SECOND_PHASE).records[0].steps
    assert [s.text for s in steps[:2]] == ["Let us see.\n\n", "Three.\n\n"]
    assert (steps[3].text, steps[3].status, steps[3].answer) == (
        "So it is 12.\n\n# Answer\n\n12",
        StepStatus.FINAL,
        "12",
    )
    assert parse_step(("a", "b\n\n")).text == "b\n\n"
    assert parse_step(("# Answer\n\n\\frac{1}{2} \n",)).answer == "\\frac{1}{2}"
    assert parse_step(("# Answer",)).status is StepStatus.OPEN


def test_own_step_ends_the_solution_when_none_was_chosen() -> None:
    row_json = row(
        step(candidate("Plus four.", 1), candidate("Times four.", -1), chosen=None),
        step(candidate("Never reached.", 1)),
        finish="found_error",
        generated=["Times four.", "So 12."],
    )
    row_labels = labels(row_json)
    assert words_and_labels(row_labels.records) == [("Times four. So 12.", (-1,)), ("Plus four.", (1,))]
    assert (row_labels.is_whole, row_labels.unreachable) == (False, 1)
    unknown = changed(row_json, question__pre_generated_steps=None)
    assert words_and_labels(labels(unknown).records) == [
        ("Plus four.", (1,)),
        ("Times four.", (-1,)),
    ]  # else the first one
    unrated = changed(row_json, label__steps__0__completions__1__rating=None)
    assert words_and_labels(labels(unrated).records) == [("Plus four.", (1,))]
    assert labels(unrated).null_ratings == 1
    nothing = changed(row_json, label__steps__0__completions=[])
    assert labels(nothing) == RowLabels(records=(), steps=(), is_whole=False, null_ratings=0, unreachable=1)


def test_supervision_ends_at_a_chosen_incorrect_step() -> None:
    row_json = row(step(candidate("Three.", 1)), step(candidate("Times four.", -1)), step(candidate("So 12.", 1)))
    row_labels = labels(row_json)
    assert words_and_labels(row_labels.records) == [("Three. Times four.", (1, -1))]
    assert (row_labels.is_whole, row_labels.unreachable) == (False, 1)


def test_null_rating_is_no_example() -> None:
    row_json = row(step(candidate("Three.", None)), step(candidate("Plus four.", 1)), step(candidate("So 7.", None)))
    assert words_and_labels(labels(row_json).records) == [("Three. Plus four. So 7.", (None, 1, None))]
    assert classes(labels(row_json).records[0]) == [None, CORRECT]
    bare = row(step(candidate("Three.", None)), step(candidate("Plus four.", None)))
    assert labels(bare).records == ()
    assert labels(bare).null_ratings == 2


def test_equal_candidates_are_examples_each() -> None:
    row_json = row(step(candidate("Three.", 1), candidate("Three.", 1), chosen=1))
    assert words_and_labels(labels(row_json).records) == [("Three.", (1,)), ("Three.", (1,))]


@pytest.mark.parametrize(
    ("row_json", "reason"),
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
def test_row_is_left_out_for_its_reason(row_json: Json, reason: str | None) -> None:
    assert why_left_out(parsed(row_json)) == reason


def outcome(row_json: Json) -> tuple[int, bool, float] | None:
    parsed_row = parsed(row_json)
    solution = outcome_of(parsed_row, problem_of(parsed_row), labels(row_json), grader())
    return solution and (len(solution.steps), solution.correct, solution.q)


def test_outcome_is_graded_or_follows_from_the_label() -> None:
    assert outcome(SECOND_PHASE) == (4, False, -1.0)  # all four steps, with the answer 12 instead of 7
    assert outcome(changed(SECOND_PHASE, question__pre_generated_answer="7.0")) == (4, True, 1.0)
    assert outcome(changed(SECOND_PHASE, question__pre_generated_answer=None)) == (4, False, -1.0)
    assert outcome(changed(SECOND_PHASE, question__ground_truth_answer=None)) is None
    assert outcome(FIRST_PHASE) == (3, True, 1.0)
    assert outcome(changed(FIRST_PHASE, label__finish_reason="found_error")) is None
    assert outcome(changed(FIRST_PHASE, label__steps__1__human_completion=None)) is None  # broken off


def test_problem_id_depends_on_its_content() -> None:
    first, second = problem_of(parsed(FIRST_PHASE)), problem_of(parsed(SECOND_PHASE))
    assert first == second and first.source == "prm800k"
    assert problem_of(parsed(changed(FIRST_PHASE, question__problem="Else?"))).id != first.id
