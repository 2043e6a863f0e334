"""Solutions given out to be labelled, and the labels that come back."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.data import Outcome, Problem, Step, StepLabels, StepStatus, Trajectory
from search.errors import UserError
from tests.train.labels.prm800k_rows import Json, write
from train.labels.annotation_files import read_annotations, write_annotation_file
from train.labels.first_error import first_error, labels_complete


def solution(number: int, correct: bool = True) -> Trajectory:
    problem = Problem(
        id=f"curriculum-train-2-{number}",
        question=f"What is {number} + 4?",
        answer=str(number + 4),
        source="curriculum",
        level=2,
    )
    said = str(number + 4 if correct else number * 4)
    steps = (
        Step(
            f"\n# take {number}\ntotal = {number}<end_of_step>",
            code=f"# take {number}\ntotal = {number}",
            outcome=Outcome.OK,
        ),
        Step("\nprint(total)<end_of_code>", code="print(total)", output=said, outcome=Outcome.OK),
        Step(f"\n<answer>\\boxed{{{said}}}<end_of_answer>", status=StepStatus.FINAL, answer=said),
    )
    return Trajectory(problem, steps, correct=correct, q=1.0 if correct else -1.0)


SOLUTIONS = [solution(3), solution(5, correct=False), solution(6)]


def rows(path: Path) -> list[Json]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def rate(row: Json, *ratings: int | None, finish: str | None = None) -> Json:
    for step, rating in zip(row["label"]["steps"], ratings, strict=False):
        step["completions"][0]["rating"] = rating
    row["label"]["finish_reason"] = finish
    return row


def read(*files: Path, skip: bool = False) -> tuple[list[StepLabels], dict[str, int]]:
    tally = Counter[str]()
    records = list(read_annotations(files, SOLUTIONS, tally, skip))
    return records, dict(tally)


def test_annotation_file_has_the_schema_and_no_ratings(tmp_path: Path) -> None:
    file = tmp_path / "to_label.jsonl"
    assert write_annotation_file(SOLUTIONS, file, scores=[0.5, 0.9, 0.1], generation=2) == 3
    first, second, _ = rows(file)
    assert second["question"] == {
        "problem": "What is 5 + 4?",
        "ground_truth_answer": "9",
        "ground_truth_solution": None,
        "pre_generated_steps": [step.text for step in SOLUTIONS[1].steps],
        "pre_generated_answer": "20",
        "pre_generated_verifier_score": 0.9,
    }
    assert (second["generation"], second["label"]["finish_reason"]) == (2, None)
    assert (second["is_quality_control_question"], second["is_initial_screening_question"]) == (False, False)
    assert first["label"]["steps"][1] == {
        "completions": [{"text": "\nprint(total)<end_of_code>", "rating": None, "flagged": None}],
        "human_completion": None,
        "chosen_completion": 0,
    }
    assert read(file) == ([], {"rows": 3, "unlabelled": 3})


def test_labels_come_back_with_our_own_steps(tmp_path: Path) -> None:
    write_annotation_file(SOLUTIONS, tmp_path / "to_label.jsonl")
    first, second, third = rows(tmp_path / "to_label.jsonl")
    second = rate(second, 1, -1, finish="found_error")
    second["label"]["steps"][1]["chosen_completion"] = None
    second["label"]["steps"][1]["completions"].append({"text": "\ntotal = total + 4", "rating": 1, "flagged": None})
    del second["label"]["steps"][2]
    third = rate(third, 1, 1, 1, finish="give_up")
    records, counts = read(write(tmp_path / "back.jsonl", rate(first, 1, 0, 1, finish="solution"), second, third))
    assert records[0] == StepLabels(SOLUTIONS[0].problem, SOLUTIONS[0].steps, labels=(1, 0, 1))
    assert records[1] == StepLabels(
        SOLUTIONS[1].problem, SOLUTIONS[1].steps, labels=(1, -1)
    )  # whole, and labelled to the error
    assert (first_error(records[1]), labels_complete(records[1])) == (1, True)
    added = Step("\ntotal = total + 4\n\n")  # what a person added has only its words
    assert records[2:] == [StepLabels(SOLUTIONS[1].problem, (SOLUTIONS[1].steps[0], added), labels=(None, 1))]
    assert counts == {"rows": 3, "labelled": 2, "give_up": 1}


def test_row_of_an_unknown_solution_is_named_or_counted(tmp_path: Path) -> None:
    write_annotation_file([solution(3), solution(7)], tmp_path / "to_label.jsonl")
    first, other = rows(tmp_path / "to_label.jsonl")
    altered = json.loads(json.dumps(rate(first, 1)))
    altered["question"]["pre_generated_steps"][0] += " "
    file = write(tmp_path / "back.jsonl", rate(first, 1), altered, rate(other, 1), "{")
    with pytest.raises(UserError) as caught:
        read(file)
    assert str(caught.value).startswith(f"{file}:2: question: no solution that was given out has this question.problem")
    records, counts = read(file, skip=True)
    assert [rating.labels for rating in records] == [(1, None, None)]
    assert counts == {"rows": 4, "labelled": 1, "bad_lines": 3}


def test_scores_of_another_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shorter"):
        write_annotation_file(SOLUTIONS, tmp_path / "to_label.jsonl", scores=[0.5])
    assert list(tmp_path.iterdir()) == []


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from([None, 0, 1]), min_size=3, max_size=3), min_size=3, max_size=3))
def test_all_ratings_come_back(
    tmp_path_factory: pytest.TempPathFactory, ratings_of_solutions: list[list[int | None]]
) -> None:
    directory = tmp_path_factory.mktemp("labelling")
    write_annotation_file(SOLUTIONS, directory / "to_label.jsonl")
    rated = [
        rate(row, *ratings)
        for row, ratings in zip(rows(directory / "to_label.jsonl"), ratings_of_solutions, strict=True)
    ]
    records, counts = read(write(directory / "back.jsonl", *rated))
    labelled = [
        (s, r) for s, r in zip(SOLUTIONS, ratings_of_solutions, strict=True) if any(rating is not None for rating in r)
    ]
    assert records == [StepLabels(s.problem, s.steps, labels=tuple(r)) for s, r in labelled]
    assert counts.get("unlabelled", 0) == 3 - len(labelled)
