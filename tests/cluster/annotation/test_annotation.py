"""Labelling: what keys do, what stands in the file after each of them, and the terminal around it."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from cluster import cli
from cluster.annotation.file import label_of, opened, read, sheet_of
from cluster.annotation.session import Key, Sheet, place, press
from cluster.annotation.terminal import label, single_keys, summary
from search import serialization
from search.data import Problem, Step, StepStatus, Trajectory
from search.errors import UserError
from train.labels.annotation_files import read_labelling, write_labelling
from train.labels.prm800k import Prm800kRow, Question, read_rows

TWO, THREE = Sheet(("a", "b")), Sheet(("c", "d", "e"))


def typed(keys: str, sheets: Sequence[Sheet] = (TWO, THREE)) -> list[Sheet]:
    """The sheets after some keys, 10 ms apart."""
    found = list(sheets)
    for key in keys:
        change = press(found, Key(key), 10)
        if change is not None:
            found[change[0]] = change[1]
    return found


def said(sheets: Sequence[Sheet]) -> list[tuple[tuple[int, ...], str | None]]:
    return [(sheet.ratings, sheet.finish) for sheet in sheets]


@pytest.mark.parametrize(
    ("keys", "first", "second", "at"),
    [
        ("", ((), None), ((), None), 0),
        ("g", ((1,), None), ((), None), 0),
        ("gn", ((1, 0), "solution"), ((), None), 1),
        ("b", ((-1,), "found_error"), ((), None), 1),
        ("gs", ((1,), "give_up"), ((), None), 1),
        ("sggb", ((), "give_up"), ((1, 1, -1), "found_error"), None),
        ("ggngnggg", ((1, 1), "solution"), ((0, 1, 0), "solution"), None),
        ("q", ((), None), ((), None), 0),
        ("u", ((), None), ((), None), 0),
        ("gu", ((), None), ((), None), 0),
        ("gnu", ((1,), None), ((), None), 0),
        ("gbgu", ((1, -1), "found_error"), ((), None), 1),
        ("gbguu", ((1,), None), ((), None), 0),
        ("gsu", ((1,), None), ((), None), 0),
        ("gsuu", ((), None), ((), None), 0),
        ("bggguu", ((-1,), "found_error"), ((1,), None), 1),
    ],
)
def test_keys(
    keys: str, first: tuple[tuple[int, ...], str | None], second: tuple[tuple[int, ...], str | None], at: int | None
) -> None:
    found = typed(keys)
    assert said(found) == [first, second]
    assert place(found) == at


def test_time_adds_up_over_keys_and_undoing() -> None:
    assert [sheet.milliseconds for sheet in typed("gug")] == [30, 0]
    assert [sheet.milliseconds for sheet in typed("gbgs")] == [20, 20]


@settings(deadline=None)
@given(st.text("gnbs", max_size=12), st.sampled_from("gnbs"))
def test_undo_takes_back_any_key(before: str, key: str) -> None:
    sheets = typed(before)
    if place(sheets) is not None:
        assert said(typed(before + key + "u")) == said(sheets)


@settings(deadline=None)
@given(st.text("gnbsu", max_size=20))
def test_any_state_comes_back_from_its_row(keys: str) -> None:
    for sheet in typed(keys):
        question = Question("?", pre_generated_steps=sheet.steps)
        row = Prm800kRow(None, None, None, False, False, question, label_of(sheet))
        assert sheet_of("here", serialization.load(Prm800kRow, serialization.dump(row))) == sheet


PROBLEM = Problem("p", "What is 3 + 4?", "7", "t")


def solution(*texts: str, answer: str) -> Trajectory:
    steps = (*map(Step, texts[:-1]), Step(texts[-1], status=StepStatus.FINAL, answer=answer))
    return Trajectory(PROBLEM, steps, answer == "7", 1.0)


SOLUTIONS = (solution("[3] is three", "So 8", answer="8"), solution("3 + 4", "is 7", "7", answer="7"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_labelling(SOLUTIONS, tmp_path / "label.jsonl", [0.9, 0.8], 1)
    return tmp_path / "label.jsonl"


def label_with(path: Path, keys: Iterator[str]) -> str:
    out = io.StringIO()
    with opened(path) as file:
        label(file, lambda: next(keys), Console(file=out, width=100), "me")
    return out.getvalue()


def test_every_decision_is_in_the_file_before_the_next_key_is_asked_for(path: Path) -> None:
    seen: list[list[tuple[tuple[int, ...], str | None]]] = []

    def keys() -> Iterator[str]:
        for key in "gxBnq":
            seen.append(said(read(path).sheets))
            yield key

    out = label_with(path, keys())
    nothing, one = ((), None), ((1,), None)
    assert seen == [[nothing, nothing], [one, nothing], [one, nothing], [((1, -1), "found_error"), nothing],
                    [((1, -1), "found_error"), ((0,), None)]]  # fmt: skip
    assert "solution 1 of 2, step 1 of 2" in out and "solution 2 of 2, step 2 of 3" in out
    assert "reference answer: 7   answer of this solution: 8" in out and "[3] is three" in out
    assert out.endswith("1 of 2 solutions done: 1 with a bad step, 0 without, 0 skipped; 3 steps rated\n")


def test_it_goes_on_where_it_stopped_and_undoes_what_an_earlier_start_did(path: Path) -> None:
    label_with(path, iter("bgq"))
    assert "solution 2 of 2, step 2 of 3" in label_with(path, iter("q"))
    label_with(path, iter("uug" + "b" + "ggg" + "q"))
    assert said(read(path).sheets) == [((1, -1), "found_error"), ((1, 1, 1), "solution")]
    assert "All solutions are done." in label_with(path, iter("q"))
    label_with(path, iter("uq"))
    assert said(read(path).sheets) == [((1, -1), "found_error"), ((1, 1), None)]


def test_the_labelled_file_is_prm800ks_and_reads_as_step_labels(path: Path) -> None:
    label_with(path, iter("gb" + "gngq"))
    first, second = (row for _, row in read_rows([path], Counter()))
    assert (first.labeler, second.labeler, first.generation) == ("me", "me", 1)
    assert first.timestamp is not None and len(first.timestamp) == len("2023-01-22T04:34:27.052")
    assert [step.chosen_completion for step in first.label.steps] == [0, None]
    assert [step.completions[0].rating for step in second.label.steps if step.completions] == [1, 0, 1]
    assert first.label.total_time is not None and first.label.total_time >= 0
    tally = Counter[str]()
    found = list(read_labelling([path], SOLUTIONS, tally))
    assert [(record.steps, record.labels) for record in found] == [
        (SOLUTIONS[0].steps, (1, -1)),
        (SOLUTIONS[1].steps, (1, 0, 1)),
    ]
    assert tally == {"rows": 2, "labelled": 2}


def test_skipped_and_undone_solutions_have_no_labels(path: Path) -> None:
    label_with(path, iter("gs" + "gbuuq"))
    tally = Counter[str]()
    assert list(read_labelling([path], SOLUTIONS, tally)) == []
    assert tally == {"rows": 2, "give_up": 1, "unlabelled": 1}
    rows = [row for _, row in read_rows([path], Counter())]
    assert (rows[1].labeler, rows[1].timestamp, len(rows[1].label.steps)) == (None, None, 3)


def test_a_file_belongs_to_one_person_at_a_time(path: Path) -> None:
    with (
        opened(path),
        pytest.raises(UserError, match=f"is being labelled by process {os.getpid()}: end it first"),
        opened(path),
    ):
        pass
    with opened(path):
        pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pre_generated_steps": None}, "question.pre_generated_steps is missing: there is no solution to label"),
        ({"pre_generated_steps": ["other", "So 8"]}, "label.steps.0 is not step 0 of question.pre_generated_steps"),
    ],
)
def test_rows_that_cannot_be_labelled_are_named(path: Path, change: dict[str, object], message: str) -> None:
    lines = path.read_text().splitlines()
    row = json.loads(lines[1])
    row["question"].update(change)
    path.write_text(f"{lines[0]}\n{json.dumps(row)}\n")
    with pytest.raises(UserError, match=f"{path}:2: {message}"), opened(path):
        pass
    assert not list(path.parent.glob(".*"))  # no lock is left where nothing was begun


def test_single_keys_come_without_enter_and_special_keys_are_one_key() -> None:
    outer, inner = pty.openpty()
    with os.fdopen(inner, "r") as stream:
        with single_keys(stream) as read_key:
            os.write(outer, b"gb")
            assert [read_key(), read_key()] == ["g", "b"]
            os.write(outer, b"\x1b[B")  # cursor down: no "bad"
            assert read_key() == "\x1b"
            os.write(outer, b"n")
            assert read_key() == "n"
        os.write(outer, b"line\n")
        assert stream.readline() == "line\n"  # the terminal is as it was
    os.close(outer)
    with pytest.raises(UserError, match="labelling needs a terminal"), single_keys(io.StringIO()):
        pass


def test_the_end_of_the_terminal_is_a_quit(path: Path) -> None:
    assert "0 of 2 solutions done" in label_with(path, iter([""]))


def test_the_command_at_a_terminal(path: Path) -> None:
    outer, inner = pty.openpty()
    command = [sys.executable, "-m", "cluster.cli", "label", str(path), "--labeler", "anna"]
    with subprocess.Popen(command, stdin=inner, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "solution 1 of 2, step 1 of 2\n"  # what was typed before does not count
        os.write(outer, b"gbsq")
        out, errors = process.communicate(timeout=60)
    os.close(inner)
    os.close(outer)
    assert (process.returncode, errors) == (0, "")
    assert "2 of 2 solutions done: 1 with a bad step, 0 without, 1 skipped; 2 steps rated" in out
    assert [row.labeler for _, row in read_rows([path], Counter())] == ["anna", "anna"]


def test_a_dry_run_says_how_far_the_file_is(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["label", str(path), "--dry-run"]) == 0
    assert capsys.readouterr().out == f"{summary(read(path).sheets)}\n"
    assert cli.main(["label", str(path.parent / "none.jsonl")]) == 2
    assert "none.jsonl: no such file" in capsys.readouterr().err
