"""Label solutions: the effect of each key, the file after each decision, and the terminal."""

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
from cluster.annotation.file import label_of_solution, open_exclusive, read_label_file, solution_of_row
from cluster.annotation.session import Key, RatedSolution, apply_key, current_index
from cluster.annotation.terminal import key_reader, label, summary
from search import serialization
from search.data import Problem, Step, StepStatus, Trajectory
from search.errors import UserError
from train.labels.annotation_files import read_annotations, write_annotation_file
from train.labels.prm800k import Prm800kRow, Question, read_rows

TWO_STEPS, THREE_STEPS = RatedSolution(steps=("a", "b")), RatedSolution(steps=("c", "d", "e"))


def press_keys(keys: str, solutions: Sequence[RatedSolution] = (TWO_STEPS, THREE_STEPS)) -> list[RatedSolution]:
    """Return the solutions after some keys, 10 ms apart."""
    rated_solutions = list(solutions)
    for key in keys:
        change = apply_key(rated_solutions, Key(key), 10)
        if change is not None:
            rated_solutions[change[0]] = change[1]
    return rated_solutions


def ratings_of(solutions: Sequence[RatedSolution]) -> list[tuple[tuple[int, ...], str | None]]:
    return [(solution.ratings, solution.finish_reason) for solution in solutions]


@pytest.mark.parametrize(
    ("keys", "first", "second", "current"),
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
def test_keys_rate_skip_and_undo_steps(
    keys: str,
    first: tuple[tuple[int, ...], str | None],
    second: tuple[tuple[int, ...], str | None],
    current: int | None,
) -> None:
    solutions = press_keys(keys)
    assert ratings_of(solutions) == [first, second]
    assert current_index(solutions) == current


def test_time_adds_up_over_keys_and_undo() -> None:
    assert [solution.milliseconds for solution in press_keys("gug")] == [30, 0]
    assert [solution.milliseconds for solution in press_keys("gbgs")] == [20, 20]


@settings(deadline=None)
@given(st.text("gnbs", max_size=12), st.sampled_from("gnbs"))
def test_undo_reverts_any_key(before: str, key: str) -> None:
    solutions = press_keys(before)
    if current_index(solutions) is not None:
        assert ratings_of(press_keys(before + key + "u")) == ratings_of(solutions)


@settings(deadline=None)
@given(st.text("gnbsu", max_size=20))
def test_rated_solution_round_trips_through_its_row(keys: str) -> None:
    for solution in press_keys(keys):
        question = Question(problem="?", pre_generated_steps=solution.steps)
        row = Prm800kRow(
            labeler=None,
            timestamp=None,
            generation=None,
            is_quality_control_question=False,
            is_initial_screening_question=False,
            question=question,
            label=label_of_solution(solution),
        )
        assert solution_of_row("here", serialization.load(Prm800kRow, serialization.dump(row))) == solution


PROBLEM = Problem(id="p", question="What is 3 + 4?", answer="7", source="t")


def solution(*texts: str, answer: str) -> Trajectory:
    steps = (*map(Step, texts[:-1]), Step(texts[-1], status=StepStatus.FINAL, answer=answer))
    return Trajectory(PROBLEM, steps, correct=answer == "7", q=1.0)


SOLUTIONS = (solution("[3] is three", "So 8", answer="8"), solution("3 + 4", "is 7", "7", answer="7"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_annotation_file(SOLUTIONS, tmp_path / "label.jsonl", [0.9, 0.8], 1)
    return tmp_path / "label.jsonl"


def label_with(path: Path, keys: Iterator[str]) -> str:
    out = io.StringIO()
    with open_exclusive(path) as file:
        label(file, lambda: next(keys), Console(file=out, width=100), "me")
    return out.getvalue()


def test_decision_is_on_disk_before_the_next_key_is_read(path: Path) -> None:
    seen: list[list[tuple[tuple[int, ...], str | None]]] = []

    def keys() -> Iterator[str]:
        for key in "gxBnq":
            seen.append(ratings_of(read_label_file(path).solutions))
            yield key

    out = label_with(path, keys())
    unrated, rated = ((), None), ((1,), None)
    assert seen == [[unrated, unrated], [rated, unrated], [rated, unrated], [((1, -1), "found_error"), unrated],
                    [((1, -1), "found_error"), ((0,), None)]]  # fmt: skip
    assert "solution 1 of 2, step 1 of 2" in out and "solution 2 of 2, step 2 of 3" in out
    assert "reference answer: 7   answer of this solution: 8" in out and "[3] is three" in out
    assert out.endswith("1 of 2 solutions done: 1 with a bad step, 0 without, 0 skipped; 3 steps rated\n")


def test_later_session_continues_and_undoes_an_earlier_one(path: Path) -> None:
    label_with(path, iter("bgq"))
    assert "solution 2 of 2, step 2 of 3" in label_with(path, iter("q"))
    label_with(path, iter("uug" + "b" + "ggg" + "q"))
    assert ratings_of(read_label_file(path).solutions) == [((1, -1), "found_error"), ((1, 1, 1), "solution")]
    assert "All solutions are done." in label_with(path, iter("q"))
    label_with(path, iter("uq"))
    assert ratings_of(read_label_file(path).solutions) == [((1, -1), "found_error"), ((1, 1), None)]


def test_labelled_file_reads_as_step_labels(path: Path) -> None:
    label_with(path, iter("gb" + "gngq"))
    first, second = (row for _, row in read_rows([path], Counter()))
    assert (first.labeler, second.labeler, first.generation) == ("me", "me", 1)
    assert first.timestamp is not None and len(first.timestamp) == len("2023-01-22T04:34:27.052")
    assert [step.chosen_completion for step in first.label.steps] == [0, None]
    assert [step.completions[0].rating for step in second.label.steps if step.completions] == [1, 0, 1]
    assert first.label.total_time is not None and first.label.total_time >= 0
    tally = Counter[str]()
    records = list(read_annotations([path], SOLUTIONS, tally))
    assert [(record.steps, record.labels) for record in records] == [
        (SOLUTIONS[0].steps, (1, -1)),
        (SOLUTIONS[1].steps, (1, 0, 1)),
    ]
    assert tally == {"rows": 2, "labelled": 2}


def test_skipped_and_undone_solutions_have_no_labels(path: Path) -> None:
    label_with(path, iter("gs" + "gbuuq"))
    tally = Counter[str]()
    assert list(read_annotations([path], SOLUTIONS, tally)) == []
    assert tally == {"rows": 2, "give_up": 1, "unlabelled": 1}
    rows = [row for _, row in read_rows([path], Counter())]
    assert (rows[1].labeler, rows[1].timestamp, len(rows[1].label.steps)) == (None, None, 3)


def test_open_file_is_locked(path: Path) -> None:
    with (
        open_exclusive(path),
        pytest.raises(UserError, match=f"is being labelled by process {os.getpid()}: end it first"),
        open_exclusive(path),
    ):
        pass
    with open_exclusive(path):
        pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pre_generated_steps": None}, "question.pre_generated_steps is missing: there is no solution to label"),
        ({"pre_generated_steps": ["other", "So 8"]}, "label.steps.0 is not step 0 of question.pre_generated_steps"),
    ],
)
def test_unusable_row_is_named(path: Path, change: dict[str, object], message: str) -> None:
    lines = path.read_text().splitlines()
    row = json.loads(lines[1])
    row["question"].update(change)
    path.write_text(f"{lines[0]}\n{json.dumps(row)}\n")
    with pytest.raises(UserError, match=f"{path}:2: {message}"), open_exclusive(path):
        pass
    assert not list(path.parent.glob(".*"))  # no lock is left where nothing was begun


def test_key_reader_returns_single_keys() -> None:
    outer, inner = pty.openpty()
    with os.fdopen(inner, "r") as stream:
        with key_reader(stream) as read_key:
            os.write(outer, b"gb")
            assert [read_key(), read_key()] == ["g", "b"]
            os.write(outer, b"\x1b[B")  # cursor down: no "bad"
            assert read_key() == "\x1b"
            os.write(outer, b"n")
            assert read_key() == "n"
        os.write(outer, b"line\n")
        assert stream.readline() == "line\n"  # the terminal is as it was
    os.close(outer)
    with pytest.raises(UserError, match="labelling needs a terminal"), key_reader(io.StringIO()):
        pass


def test_end_of_terminal_quits(path: Path) -> None:
    assert "0 of 2 solutions done" in label_with(path, iter([""]))


def test_label_command_runs_at_a_terminal(path: Path) -> None:
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


def test_dry_run_prints_the_progress(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["label", str(path), "--dry-run"]) == 0
    assert capsys.readouterr().out == f"{summary(read_label_file(path).solutions)}\n"
    assert cli.main(["label", str(path.parent / "none.jsonl")]) == 2
    assert "none.jsonl: no such file" in capsys.readouterr().err
