"""Labels from each source to files that training reads, with counts and, where there is nothing to learn, the reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.errors import UserError
from search.formats import PlainFormat
from search.grading import grader
from search.tree import Tree
from search.types import Cost, LabelledSolution, LabelScale, Problem, Step, StepLabels, Trajectory
from tests.train.prm800k_rows import FIRST_PHASE, SECOND_PHASE, candidate, changed, row, step, write
from tests.train.test_tree_labels import answer, grow
from train.label_files import LABEL_COUNTS, OUTCOMES, STEP_LABELS, LabelCounts, OutcomeCounts
from train.label_harvest import harvest_completions, harvest_consensus, harvest_people, harvest_trees
from train.objectives import Kind
from train.sources import NothingToLearn, load_samples, read_records

PLAIN = PlainFormat()
PROBLEM = Problem("p", "What is 3 + 4?", "7", "made up")
STEPS = (Step("three\n\n"), Step("plus four\n\n"), Step("\\boxed{7}", answer="7"))


def labels_in(directory: Path) -> list[StepLabels]:
    return list(read_records(StepLabels, [directory / STEP_LABELS]))


def outcomes_in(directory: Path) -> list[bool]:
    return [one.correct for one in read_records(Trajectory, [directory / OUTCOMES])]


def test_people(tmp_path: Path) -> None:
    left_out = [
        changed(FIRST_PHASE, is_quality_control_question=True),
        changed(FIRST_PHASE, is_initial_screening_question=True),
        changed(FIRST_PHASE, label__finish_reason="bad_problem"),
        changed(SECOND_PHASE, label__finish_reason="give_up"),
    ]
    unrated = row(step(candidate("Three.", None)), finish="found_error")
    first = write(tmp_path / "phase1.jsonl", FIRST_PHASE, *left_out, unrated)
    second = write(tmp_path / "phase2.jsonl", SECOND_PHASE, "[]")
    found = harvest_people([first, second], tmp_path / "out", grader(), skip_bad_lines=True)
    assert found.labels == LabelCounts(records=7, labels=10, erroneous=4, least=-1.0, greatest=1.0, nothing_to_learn="")
    assert found.outcomes == OutcomeCounts(right=1, wrong=1, nothing_to_learn="")
    assert found.source == {
        "rows": 8,
        "bad_lines": 1,
        "quality_control": 1,
        "screening": 1,
        "bad_problem": 1,
        "give_up": 1,
        "without_rating": 1,
        "without_outcome": 1,
        "null_ratings": 3,
        "unreachable": 0,
    }
    assert [one.labels for one in labels_in(tmp_path / "out")] == [
        (1, None, 1), (-1,), (0,), (None, -1), (None, -1), (0, 1, -1), (None, None, 1)
    ]  # fmt: skip
    assert outcomes_in(tmp_path / "out") == [True, False]
    counts = json.loads((tmp_path / "out" / LABEL_COUNTS).read_text())
    assert (counts["labels"]["records"], counts["source"]["give_up"], counts["outcomes"]["wrong"]) == (7, 1, 1)


def test_a_malformed_line_leaves_no_file(tmp_path: Path) -> None:
    file = write(tmp_path / "phase1.jsonl", FIRST_PHASE, "[]")
    with pytest.raises(UserError, match=r"phase1.jsonl:2: Input should be an object"):
        harvest_people([file], tmp_path / "out", grader())
    assert list((tmp_path / "out").iterdir()) == []


def test_trees_hard_and_soft(tmp_path: Path) -> None:
    tree, _ = grow()
    empty = Tree(PROBLEM)
    soft = harvest_trees([tree, empty], tmp_path / "soft", LabelScale.SHARE)
    assert [one.labels for one in labels_in(tmp_path / "soft")] == [(0.25, 1.0), (0.0, 0.0), (None, 0.0)]
    assert soft.labels == LabelCounts(3, 5, erroneous=2, least=-1.0, greatest=1.0, nothing_to_learn="")
    assert soft.source == {"trees": 2, "without_solution": 1}
    assert soft.outcomes == OutcomeCounts(1, 2, "")
    hard = harvest_trees([tree], tmp_path / "hard", LabelScale.SIGN, right=1, wrong=1)
    assert [one.labels for one in labels_in(tmp_path / "hard")] == [(1, 1), (-1, -1)]
    assert hard.outcomes == OutcomeCounts(1, 1, "")


def test_completions_and_what_they_cost(tmp_path: Path) -> None:
    given = [
        LabelledSolution(StepLabels(PROBLEM, STEPS, (0.5, 0.125, 0.0), LabelScale.SHARE), 16, Cost(160, requests=2)),
        LabelledSolution(StepLabels(PROBLEM, STEPS, (), LabelScale.SHARE), 8, Cost(80, requests=1)),
    ]
    found = harvest_completions(given, tmp_path / "soft")
    assert labels_in(tmp_path / "soft") == [one.record for one in given]
    assert found.labels == LabelCounts(2, 3, erroneous=1, least=-1.0, greatest=0.0, nothing_to_learn="")
    assert {name: found.source[name] for name in ("solutions", "without_label", "completions")} == {
        "solutions": 2,
        "without_label": 1,
        "completions": 24,
    }
    assert (found.source["generated_tokens"], found.source["requests"]) == (240, 3)
    assert found.outcomes is None and not (tmp_path / "soft" / OUTCOMES).exists()
    harvest_completions(given, tmp_path / "hard", hard_at=0.125)
    assert [one.labels for one in labels_in(tmp_path / "hard")] == [(1, -1, -1), ()]


def test_consensus(tmp_path: Path) -> None:
    ours = [StepLabels(PROBLEM, STEPS, (0.5, 0.0, 0.0), LabelScale.SHARE), StepLabels(PROBLEM, STEPS[:2], (1, 1))]
    judged = [StepLabels(PROBLEM, STEPS, (1, -1)), StepLabels(PROBLEM, STEPS[:2], (1, -1))]
    found = harvest_consensus(ours, judged, tmp_path)
    assert labels_in(tmp_path) == ours[:1]
    assert found.source == {
        "solutions": 2, "agreed_right": 0, "agreed_wrong": 1, "apart": 1, "unsettled": 0, "unjudged": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "scale", "reason"),
    [
        ([], LabelScale.SIGN, "there is no solution with labels"),
        ([(), (None,)], LabelScale.SIGN, "none of 2 solutions has a label"),
        ([(1, 1), (1,)], LabelScale.SIGN, "all 3 labels say the same, 1 in [-1, 1]: there is nothing to tell apart"),
        (
            [(0.5,), (0.5, 0.5)],
            LabelScale.SHARE,
            "all 3 labels say the same, 0 in [-1, 1]: there is nothing to tell apart",
        ),
        ([(0.5,), (0.75,)], LabelScale.SHARE, ""),
    ],
)
def test_labels_that_teach_nothing_say_so_and_training_refuses_them(
    tmp_path: Path, tiny_model: Path, labels: list[tuple[float | None, ...]], scale: LabelScale, reason: str
) -> None:
    given = (LabelledSolution(StepLabels(PROBLEM, STEPS, one, scale)) for one in labels)
    assert harvest_completions(given, tmp_path).labels.nothing_to_learn == reason
    if reason:
        with pytest.raises(NothingToLearn):
            load_samples(Kind.STEP_LABELS, tiny_model, [tmp_path / STEP_LABELS], PLAIN, 200)
    else:
        samples, _ = load_samples(Kind.STEP_LABELS, tiny_model, [tmp_path / STEP_LABELS], PLAIN, 200)
        assert len(samples) == 2


def test_outcomes_that_teach_nothing_say_so(tmp_path: Path) -> None:
    tree = Tree(PROBLEM)
    tree.add(0, answer("8"), visits=1, value_sum=-1.0, correct=False)
    for number, (trees, reason) in enumerate(
        [([tree, tree], "all 2 solutions are wrong"), ([], "there is no solution with a known outcome")]
    ):
        found = harvest_trees(trees, tmp_path / str(number), LabelScale.SIGN).outcomes
        assert found is not None and found.nothing_to_learn == reason
    tree.nodes[1].correct = True
    found = harvest_trees([tree], tmp_path / "right", LabelScale.SIGN).outcomes
    assert found is not None and found.nothing_to_learn == "all 1 solutions are right"


def test_a_harvest_that_fails_leaves_no_half_file(tmp_path: Path) -> None:
    def trees() -> Iterator[Tree]:
        yield grow()[0]
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        harvest_trees(trees(), tmp_path, LabelScale.SIGN)
    assert list(tmp_path.iterdir()) == []


def test_what_people_said_can_be_trained_on(tmp_path: Path, tiny_model: Path) -> None:
    file = write(tmp_path / "phase.jsonl", FIRST_PHASE, SECOND_PHASE)
    harvest_people([file], tmp_path, grader())
    samples, dropped = load_samples(Kind.STEP_LABELS, tiny_model, [tmp_path / STEP_LABELS], PLAIN, 256)
    assert samples.labels[samples.targets].tolist() == [
        [1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]
    ]  # fmt: skip
    assert set(dropped.values()) == {0}
    samples, _ = load_samples(Kind.OUTCOMES, tiny_model, [tmp_path / OUTCOMES], PLAIN, 256)
    assert len(samples) == 2
