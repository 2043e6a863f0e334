"""PRM800K's files: the schema, read and written, and the one line that a bad file gets."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from search import serialization
from search.errors import UserError
from tests.train.labels.prm800k_rows import FIRST_PHASE, SECOND_PHASE, Json, changed, write
from train.data.records import write_records
from train.labels.prm800k import Prm800kRow, read_rows

CANDIDATE, CHOSEN = "label.steps.0.completions.1", "label.steps.0.chosen_completion"
RATINGS = "Input should be -1, 0 or 1"


def read(*files: Path, skip: bool = False) -> tuple[list[Prm800kRow], dict[str, int]]:
    tally = Counter[str]()
    return [row for _, row in read_rows(files, tally, skip)], dict(tally)


def test_every_field_is_read(tmp_path: Path) -> None:
    (first, second), counts = read(write(tmp_path / "a.jsonl", FIRST_PHASE, "", SECOND_PHASE))
    assert counts == {"rows": 2}
    assert (first.labeler, first.timestamp, first.generation) == ("340d89bc", "2022-07-17T16:56:51.323252", None)
    assert (first.is_quality_control_question, first.is_initial_screening_question) == (False, False)
    assert (first.question.problem, first.question.ground_truth_answer) == ("How many?", "7")
    assert first.question.pre_generated_steps is None
    written = first.label.steps[1].human_completion
    assert written is not None
    assert (written.text, written.rating, written.source) == ("Plus four.", None, "human")
    assert (written.flagged, written.corrected_rating) == (False, 1)
    assert [c.rating for c in first.label.steps[0].candidates] == [1, -1, 0]
    assert (first.label.total_time, first.label.finish_reason) == (278270, "solution")
    question = second.question
    assert question.pre_generated_steps == ("Let us see.", "Three.", "Times four.", "So it is 12.\n\n# Answer\n\n12")
    assert (question.pre_generated_answer, question.pre_generated_verifier_score) == ("12", 0.25)
    assert question.ground_truth_solution == "It is \\boxed{7}."
    assert (second.generation, second.label.steps[2].chosen_completion) == (9, None)


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows, _ = read(write(tmp_path / "a.jsonl", FIRST_PHASE, SECOND_PHASE))
    assert write_records(rows, tmp_path / "b.jsonl") == 2
    assert read(tmp_path / "b.jsonl")[0] == rows
    again = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    assert again[1]["label"] == SECOND_PHASE["label"]
    assert again[1]["question"] == SECOND_PHASE["question"]
    assert sorted(again[0]) == sorted(FIRST_PHASE)


def test_place_is_file_and_line(tmp_path: Path) -> None:
    files = [write(tmp_path / "a.jsonl", FIRST_PHASE, "", SECOND_PHASE), write(tmp_path / "b.jsonl", FIRST_PHASE)]
    places = [place for place, _ in read_rows(files, Counter())]
    assert places == [f"{files[0]}:1", f"{files[0]}:3", f"{files[1]}:1"]


def test_missing_candidates_and_unknown_fields_are_allowed(tmp_path: Path) -> None:
    odd = changed(FIRST_PHASE, label__steps__1__completions=None, other=[1])
    del odd["label"]["total_time"]
    (row,), _ = read(write(tmp_path / "a.jsonl", odd))
    assert row.label.steps[1].candidates == ()
    assert row.label.total_time is None


def without(original: Json, *way: str) -> str:
    copied = changed(original)
    place: Any = copied
    for key in way[:-1]:
        place = place[int(key) if key.isdigit() else key]
    del place[way[-1]]
    return json.dumps(copied)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "Invalid JSON"),
        ("[1]", "Input should be an object; expected PRM800K's JSON lines"),
        ('"\\ud800"', "Invalid JSON"),
        (without(FIRST_PHASE, "question"), "question: Field required"),
        (without(FIRST_PHASE, "question", "problem"), "question.problem: Field required"),
        (without(FIRST_PHASE, "is_quality_control_question"), "is_quality_control_question: Field required"),
        (without(FIRST_PHASE, "label", "steps", "0", "completions", "1", "rating"), f"{CANDIDATE}.rating: Field required"),
        (changed(FIRST_PHASE, label__steps__0__completions__1__rating=2), f"{CANDIDATE}.rating: {RATINGS}"),
        (changed(FIRST_PHASE, label__steps__0__completions__1__rating=False), f"{CANDIDATE}.rating: {RATINGS}"),
        (changed(FIRST_PHASE, label__steps__0__completions__1__rating=0.5), f"{CANDIDATE}.rating: {RATINGS}"),
        (changed(FIRST_PHASE, label__steps__0__completions__1__text=None), f"{CANDIDATE}.text: Input should be a valid string"),
        (changed(FIRST_PHASE, label__steps__0__chosen_completion=3), "label.steps.0: Value error, chosen_completion is 3 of 3"),
        (changed(FIRST_PHASE, label__steps__0__chosen_completion=-1), f"{CHOSEN}: Input should be greater than or equal to 0"),
        (changed(FIRST_PHASE, label__steps__0__chosen_completion="0"), f"{CHOSEN}: Input should be a valid integer"),
        (changed(FIRST_PHASE, label__steps__1__human_completion="Plus."), "label.steps.1.human_completion: Input should be an"),
        (changed(FIRST_PHASE, label__finish_reason="bored"), "label.finish_reason: Input should be 'found_error', 'solution', "),
        (changed(FIRST_PHASE, label__steps={}), "label.steps: Input should be a valid array"),
    ],
)  # fmt: skip
def test_malformed_line_is_named_or_counted(tmp_path: Path, line: Json | str, message: str) -> None:
    file = write(tmp_path / "a.jsonl", FIRST_PHASE, line, SECOND_PHASE)
    with pytest.raises(UserError) as caught:
        read(file)
    assert str(caught.value).startswith(f"{file}:2: {message}")
    assert "\n" not in str(caught.value)
    rows, counts = read(file, skip=True)
    assert [row.generation for row in rows] == [None, 9]
    assert counts == {"rows": 3, "bad_lines": 1}


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    missing, empty, pointer = (tmp_path / name for name in ("none.jsonl", "empty.jsonl", "pointer.jsonl"))
    empty.write_text("\n\n")
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:6b17\nsize 12240719\n")
    for file, message in (
        (missing, "no such file; expected PRM800K's JSON lines"),
        (tmp_path, "no such file"),
        (empty, "the file is empty; expected PRM800K's JSON lines"),
        (pointer, "only a pointer to the file; fetch the file itself with 'git lfs pull'"),
    ):
        with pytest.raises(UserError) as caught:
            read(file, skip=True)
        assert str(caught.value).startswith(f"{file}: {message}")
    binary = tmp_path / "binary.jsonl"
    binary.write_bytes(b"\xff\xfe\x00\n")
    with pytest.raises(UserError, match=r"binary.jsonl:1: Invalid JSON"):
        read(binary)


def test_row_round_trips_as_a_record(tmp_path: Path) -> None:
    for row in read(write(tmp_path / "a.jsonl", FIRST_PHASE, SECOND_PHASE))[0]:
        assert serialization.load(Prm800kRow, serialization.dump(row)) == row
