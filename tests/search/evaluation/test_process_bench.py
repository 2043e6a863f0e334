"""The ProcessBench protocol: its files, its numbers by hand, and the choice of a threshold against brute force."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from search.errors import UserError
from search.evaluation.confidence import wilson
from search.evaluation.process_bench import (
    BOTH,
    JudgedSteps,
    ProcessRow,
    choose_threshold,
    chooses,
    measure,
    one_of_each,
    predicted,
    read,
    text,
)

ROW = {
    "id": "gsm8k-0",
    "generator": "m",
    "problem": "Sue lives …",
    "steps": ["First.", "Then."],
    "final_answer_correct": False,
    "label": 1,
}


def test_rows_come_back_from_lines_and_from_a_list(tmp_path: Path) -> None:
    rows = (
        ProcessRow("gsm8k-0", "m", "Sue lives …", ("First.", "Then."), False, 1),
        ProcessRow("b", "m", "?", ("A\nB",), True, -1),
    )
    lines, whole = tmp_path / "a.jsonl", tmp_path / "a.json"
    lines.write_text(text(rows))
    assert json.loads(lines.read_text().splitlines()[0]) == ROW
    assert read(lines) == rows
    whole.write_text(json.dumps([json.loads(line) for line in text(rows).splitlines()], indent=2))
    assert read(whole) == rows
    lines.write_text(json.dumps({**ROW, "more": 1}))
    assert read(lines) == rows[:1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 2}, "label must be -1 or the index of one of 2 steps, not 2"),
        ({"label": -2}, "label must be -1 or"),
        ({"label": "1"}, "label: Input should be a valid integer"),
        ({"label": None}, "label: Input should be a valid integer"),
        ({"steps": []}, "steps must be texts that are not empty"),
        ({"steps": ["a", " "]}, "steps must be texts that are not empty"),
        ({"steps": ["a", 3]}, "steps.1: Input should be a valid string"),
        ({"final_answer_correct": 1}, "final_answer_correct: Input should be a valid boolean"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + json.dumps({**ROW, **change}) + "\n")
    with pytest.raises(UserError) as caught:
        read(path)
    assert f"{path}:2: " in str(caught.value) and message in str(caught.value) and "\n" not in str(caught.value)


def test_bad_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    with pytest.raises(UserError, match="no such file; expected JSON lines with id, generator"):
        read(path)
    missing = {key: value for key, value in ROW.items() if key != "problem"}
    for content, message in (
        ("{no\n", "bad.jsonl:1: not JSON"),
        ("[1, ", "not JSON"),
        ("[1]", "row 1: row: "),
        (json.dumps(missing), "bad.jsonl:1: problem: Field required"),
        ("", "the file is empty"),
    ):
        path.write_text(content)
        with pytest.raises(UserError, match=message):
            read(path)


def row(name: str, problem: str, label: int) -> ProcessRow:
    return ProcessRow(name, "m", problem, ("A", "B"), label == -1, label)


def test_of_each_problem_one_row_with_an_error_and_one_without_are_kept() -> None:
    rows = [row(f"{problem}{n}", problem, n % 3 - 1) for problem in "abc" for n in range(12)]
    kept = one_of_each(rows, seed=4)
    assert [(one.problem, one.label == -1) for one in sorted(kept, key=lambda one: (one.problem, one.label))] == [
        (problem, right) for problem in "abc" for right in (True, False)
    ]
    assert kept == [one for one in rows if one in kept] == one_of_each(rows, seed=4)
    assert kept != one_of_each(rows, seed=5)
    assert one_of_each(rows[:1], seed=4) == rows[:1]


def test_a_problem_chooses_or_is_measured_whatever_its_solutions() -> None:
    rows = [row(f"{number}", f"problem {number}", -1) for number in range(2000)]
    assert 0.25 < sum(chooses(one, 0.3) for one in rows) / 2000 < 0.35
    assert all(chooses(one, 0.3) == chooses(row("other", one.problem, 0), 0.3) for one in rows[:50])
    assert not any(chooses(one, 0.0) for one in rows) and all(chooses(one, 1.0) for one in rows)


def test_the_first_step_below_the_threshold_is_predicted() -> None:
    assert predicted((0.9, 0.4, 0.1), 0.5) == 1
    assert predicted((0.9, 0.5), 0.5) == -1
    assert predicted((), 0.5) == -1


JUDGED = (
    JudgedSteps(1, (0.9, 0.4, 0.1)),  # found at 0.5, and at 0.3 only the step after it
    JudgedSteps(0, (0.8, 0.2)),  # found nowhere below 0.8
    JudgedSteps(-1, (0.9, 0.7)),  # right up to 0.7
    JudgedSteps(-1, (0.3, 0.9)),  # right up to 0.3
    JudgedSteps(-1, (0.6, 0.6)),  # right up to 0.6
)


def test_f1_by_hand() -> None:
    found = measure(JUDGED, 0.5)
    assert (found.threshold, found.erroneous, found.right) == (0.5, wilson(1, 2), wilson(2, 3))
    assert found.f1.mean == pytest.approx(2 * (1 / 2) * (2 / 3) / (1 / 2 + 2 / 3))
    low, high = wilson(1, 2, BOTH), wilson(2, 3, BOTH)
    assert found.f1.low == pytest.approx(2 * low.low * high.low / (low.low + high.low))
    assert found.f1.low < found.f1.mean < found.f1.high
    assert found.f1.n == 5
    assert pytest.approx(2.2414, abs=1e-4) == BOTH
    assert measure(JUDGED, 0.0).f1.mean == 0.0
    with pytest.raises(UserError, match="2 solutions with a wrong step and 0 without"):
        measure(JUDGED[:2], 0.5)


def test_the_threshold_of_the_highest_f1_by_hand() -> None:
    # (0.4, 0.6]: 1 of 2 and 2 of 3. Below 0.4 no error is found, above 0.6 one more right one is lost.
    assert choose_threshold(JUDGED) == pytest.approx(0.5)
    with pytest.raises(UserError, match="0 solutions with a wrong step"):
        choose_threshold(JUDGED[2:])


def test_the_threshold_is_as_good_as_any_by_brute_force() -> None:
    rng = random.Random(3)
    for _ in range(60):
        judged = [JudgedSteps(-1, (rng.random(), rng.random())), JudgedSteps(0, (rng.random(),))]
        for _ in range(rng.randrange(8)):
            scores = tuple(rng.choice([0.0, 0.2, 0.4, 0.6, 0.8, 1.0]) for _ in range(rng.randint(1, 5)))
            judged.append(JudgedSteps(rng.randrange(-1, len(scores)), scores))
        best = max(measure(judged, step / 500).f1.mean for step in range(501))
        chosen = choose_threshold(judged)
        assert 0.0 <= chosen <= 1.0
        assert measure(judged, chosen).f1.mean >= best - 1e-12


def test_f1s_interval_covers_95_of_100_and_more() -> None:
    rng = random.Random(5)
    truth, covered = 2 * 0.4 * 0.8 / 1.2, 0
    for _ in range(400):
        judged = [JudgedSteps(0, (float(rng.random() > 0.4),)) for _ in range(60)]
        judged += [JudgedSteps(-1, (float(rng.random() < 0.8),)) for _ in range(40)]
        found = measure(judged, 0.5).f1
        covered += found.low <= truth <= found.high
    assert covered >= 380
