"""The ProcessBench protocol: its files, its numbers by hand, and the choice of a threshold against brute force."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from search.errors import UserError
from search.evaluation.confidence import wilson
from search.evaluation.process_bench import (
    Z97_5,
    ProcessRow,
    ScoredSteps,
    balance_by_problem,
    choose_threshold,
    dump_rows,
    is_for_threshold,
    measure,
    predict_first_error,
    read_rows,
)

ROW = {
    "id": "gsm8k-0",
    "generator": "m",
    "problem": "Sue lives …",
    "steps": ["First.", "Then."],
    "final_answer_correct": False,
    "label": 1,
}


def test_rows_are_read_from_lines_and_from_a_list(tmp_path: Path) -> None:
    rows = (
        ProcessRow(
            id="gsm8k-0",
            generator="m",
            problem="Sue lives …",
            steps=("First.", "Then."),
            final_answer_correct=False,
            label=1,
        ),
        ProcessRow(id="b", generator="m", problem="?", steps=("A\nB",), final_answer_correct=True, label=-1),
    )
    lines, whole = tmp_path / "a.jsonl", tmp_path / "a.json"
    lines.write_text(dump_rows(rows))
    assert json.loads(lines.read_text().splitlines()[0]) == ROW
    assert read_rows(lines) == rows
    whole.write_text(json.dumps([json.loads(line) for line in dump_rows(rows).splitlines()], indent=2))
    assert read_rows(whole) == rows
    lines.write_text(json.dumps({**ROW, "more": 1}))
    assert read_rows(lines) == rows[:1]


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
def test_error_names_the_bad_row(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + json.dumps({**ROW, **change}) + "\n")
    with pytest.raises(UserError) as caught:
        read_rows(path)
    assert f"{path}:2: " in str(caught.value) and message in str(caught.value) and "\n" not in str(caught.value)


def test_error_names_the_bad_file(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    with pytest.raises(UserError, match="no such file; expected JSON lines with id, generator"):
        read_rows(path)
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
            read_rows(path)


def row(name: str, problem: str, label: int) -> ProcessRow:
    return ProcessRow(
        id=name, generator="m", problem=problem, steps=("A", "B"), final_answer_correct=label == -1, label=label
    )


def test_one_row_of_each_kind_is_kept_per_problem() -> None:
    rows = [row(f"{problem}{n}", problem, n % 3 - 1) for problem in "abc" for n in range(12)]
    kept = balance_by_problem(rows, seed=4)
    assert [
        (kept_row.problem, kept_row.label == -1)
        for kept_row in sorted(kept, key=lambda kept_row: (kept_row.problem, kept_row.label))
    ] == [(problem, right) for problem in "abc" for right in (True, False)]
    assert kept == [kept_row for kept_row in rows if kept_row in kept] == balance_by_problem(rows, seed=4)
    assert kept != balance_by_problem(rows, seed=5)
    assert balance_by_problem(rows[:1], seed=4) == rows[:1]


def test_all_rows_of_a_problem_have_the_same_use() -> None:
    rows = [row(f"{number}", f"problem {number}", -1) for number in range(2000)]
    assert 0.25 < sum(is_for_threshold(kept_row, 0.3) for kept_row in rows) / 2000 < 0.35
    assert all(
        is_for_threshold(kept_row, 0.3) == is_for_threshold(row("other", kept_row.problem, 0), 0.3)
        for kept_row in rows[:50]
    )
    assert not any(is_for_threshold(kept_row, 0.0) for kept_row in rows) and all(
        is_for_threshold(kept_row, 1.0) for kept_row in rows
    )


def test_first_step_below_the_threshold_is_predicted() -> None:
    assert predict_first_error((0.9, 0.4, 0.1), 0.5) == 1
    assert predict_first_error((0.9, 0.5), 0.5) == -1
    assert predict_first_error((), 0.5) == -1


SCORED = (
    ScoredSteps(1, (0.9, 0.4, 0.1)),  # a hit at 0.5; at 0.3 only the step after it
    ScoredSteps(0, (0.8, 0.2)),  # no hit below 0.8
    ScoredSteps(-1, (0.9, 0.7)),  # correct up to 0.7
    ScoredSteps(-1, (0.3, 0.9)),  # correct up to 0.3
    ScoredSteps(-1, (0.6, 0.6)),  # correct up to 0.6
)


def test_f1_by_hand() -> None:
    score = measure(SCORED, 0.5)
    assert (score.threshold, score.erroneous, score.correct) == (0.5, wilson(1, 2), wilson(2, 3))
    assert score.f1.mean == pytest.approx(2 * (1 / 2) * (2 / 3) / (1 / 2 + 2 / 3))
    low, high = wilson(1, 2, Z97_5), wilson(2, 3, Z97_5)
    assert score.f1.low == pytest.approx(2 * low.low * high.low / (low.low + high.low))
    assert score.f1.low < score.f1.mean < score.f1.high
    assert score.f1.n == 5
    assert pytest.approx(2.2414, abs=1e-4) == Z97_5
    assert measure(SCORED, 0.0).f1.mean == 0.0
    with pytest.raises(UserError, match="2 solutions with an incorrect step and 0 without"):
        measure(SCORED[:2], 0.5)


def test_chosen_threshold_by_hand() -> None:
    # (0.4, 0.6]: 1 of 2 and 2 of 3. Below 0.4 no error is found, above 0.6 one more right one is lost.
    assert choose_threshold(SCORED) == pytest.approx(0.5)
    with pytest.raises(UserError, match="0 solutions with an incorrect step"):
        choose_threshold(SCORED[2:])


def test_chosen_threshold_is_the_best_by_brute_force() -> None:
    rng = random.Random(3)
    for _ in range(60):
        solutions = [ScoredSteps(-1, (rng.random(), rng.random())), ScoredSteps(0, (rng.random(),))]
        for _ in range(rng.randrange(8)):
            scores = tuple(rng.choice([0.0, 0.2, 0.4, 0.6, 0.8, 1.0]) for _ in range(rng.randint(1, 5)))
            solutions.append(ScoredSteps(rng.randrange(-1, len(scores)), scores))
        best = max(measure(solutions, step / 500).f1.mean for step in range(501))
        chosen = choose_threshold(solutions)
        assert 0.0 <= chosen <= 1.0
        assert measure(solutions, chosen).f1.mean >= best - 1e-12


def test_f1_interval_covers_at_least_95_percent() -> None:
    rng = random.Random(5)
    truth, covered = 2 * 0.4 * 0.8 / 1.2, 0
    for _ in range(400):
        solutions = [ScoredSteps(0, (float(rng.random() > 0.4),)) for _ in range(60)]
        solutions += [ScoredSteps(-1, (float(rng.random() < 0.8),)) for _ in range(40)]
        score = measure(solutions, 0.5).f1
        covered += score.low <= truth <= score.high
    assert covered >= 380
