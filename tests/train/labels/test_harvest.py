"""Labels from each source to files that training reads, with counts and, where there is nothing to learn, the reason."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest

from search.data import Cost, LabelScale, Problem, Step, StepLabels, Trajectory
from search.errors import UserError
from search.formats.plain_format import PlainFormat
from search.grading.grader import grader
from search.tree import ROOT, Tree
from tests.train.labels.prm800k_rows import FIRST_PHASE, SECOND_PHASE, Json, candidate, changed, row, step, write
from tests.train.labels.test_tree_labels import answer, grow
from train.data.loading import NothingToLearn, load_samples
from train.data.records import read_records
from train.labels.files import LABEL_COUNTS, LabelCounts, OutcomeCounts, open_label_files
from train.labels.harvest import harvest_annotations, harvest_prm800k
from train.objectives import OBJECTIVES
from train.record_files import OUTCOMES, STEP_LABELS
from train.rules.step_labels import checked_labels, consensus_labels, tree_labels

PLAIN = PlainFormat()
PROBLEM = Problem(id="p", question="What is 3 + 4?", answer="7", source="made up")
STEPS = (Step("three\n\n"), Step("plus four\n\n"), Step("\\boxed{7}", answer="7"))


def labels_in(directory: Path) -> list[StepLabels]:
    return list(read_records(StepLabels, [directory / STEP_LABELS]))


def outcomes_in(directory: Path) -> list[bool]:
    return [record.correct for record in read_records(Trajectory, [directory / OUTCOMES])]


def test_prm800k_rows_become_labels_and_outcomes(tmp_path: Path) -> None:
    left_out = [
        changed(FIRST_PHASE, is_quality_control_question=True),
        changed(FIRST_PHASE, is_initial_screening_question=True),
        changed(FIRST_PHASE, label__finish_reason="bad_problem"),
        changed(SECOND_PHASE, label__finish_reason="give_up"),
    ]
    unrated = row(step(candidate("Three.", None)), finish="found_error")
    first = write(tmp_path / "phase1.jsonl", FIRST_PHASE, *left_out, unrated)
    second = write(tmp_path / "phase2.jsonl", SECOND_PHASE, "[]")
    harvest = harvest_prm800k([first, second], tmp_path / "out", grader(), skip_bad_lines=True)
    assert harvest.labels == LabelCounts(
        records=7, labels=10, erroneous=4, min_value=-1.0, max_value=1.0, nothing_to_learn=""
    )
    assert harvest.outcomes == OutcomeCounts(correct=1, incorrect=1, nothing_to_learn="")
    assert harvest.source == {
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
    assert [record.labels for record in labels_in(tmp_path / "out")] == [
        (1, None, 1), (-1,), (0,), (None, -1), (None, -1), (0, 1, -1), (None, None, 1)
    ]  # fmt: skip
    assert outcomes_in(tmp_path / "out") == [True, False]
    counts = json.loads((tmp_path / "out" / LABEL_COUNTS).read_text())
    assert (counts["labels"]["records"], counts["source"]["give_up"], counts["outcomes"]["incorrect"]) == (7, 1, 1)


def test_malformed_line_leaves_no_file(tmp_path: Path) -> None:
    file = write(tmp_path / "phase1.jsonl", FIRST_PHASE, "[]")
    with pytest.raises(UserError, match=r"phase1.jsonl:2: Input should be an object"):
        harvest_prm800k([file], tmp_path / "out", grader())
    assert list((tmp_path / "out").iterdir()) == []


def test_trees_give_hard_and_soft_labels(tmp_path: Path) -> None:
    tree, _ = grow()
    empty = Tree(PROBLEM)
    soft = tree_labels.harvest([tree, empty], tmp_path / "soft", LabelScale.SHARE)
    assert [record.labels for record in labels_in(tmp_path / "soft")] == [(0.25, 1.0), (0.0, 0.0), (None, 0.0)]
    assert soft.labels == LabelCounts(
        records=3, labels=5, erroneous=2, min_value=-1.0, max_value=1.0, nothing_to_learn=""
    )
    assert soft.source == {"trees": 2, "without_solution": 1}
    assert soft.outcomes == OutcomeCounts(correct=1, incorrect=2, nothing_to_learn="")
    hard = tree_labels.harvest([tree], tmp_path / "hard", LabelScale.SIGN, max_correct=1, max_incorrect=1)
    assert [record.labels for record in labels_in(tmp_path / "hard")] == [(1, 1), (-1, -1)]
    assert hard.outcomes == OutcomeCounts(correct=1, incorrect=1, nothing_to_learn="")


def completed(*labels: tuple[float | None, ...], scores: tuple[float, ...] = ()) -> Tree:
    """Return a tree of step labelling: incorrect chains of STEPS with these labels and 8 completions in each node."""
    tree = Tree(PROBLEM, strategy="math_shepherd", cost=Cost(generated_tokens=160, requests=2))
    for number, step_labels in enumerate(labels):
        end = ROOT
        for next_step, label in zip_longest((*STEPS[:2], answer(str(number))), step_labels):
            end = tree.add(end, next_step, label=label, completions=8)
        tree.nodes[end].correct = False
        for index, score in zip(tree.path(end), scores, strict=False):
            tree.nodes[index].logit = math.atanh(score)
    return tree


def test_checked_labels_are_written_as_they_are(tmp_path: Path) -> None:
    tree, _ = grow()
    labels = [StepLabels(PROBLEM, STEPS, labels=(1, -1))]
    harvest = checked_labels.harvest([tree], labels, tmp_path)
    assert labels_in(tmp_path) == labels
    assert (harvest.source, len(outcomes_in(tmp_path))) == ({"trees": 1}, 3)


def test_labels_by_completion_count_their_cost(tmp_path: Path) -> None:
    trees = [completed((0.5, 0.125, 0.0)), completed(())]
    harvest = tree_labels.harvest(trees, tmp_path / "soft", LabelScale.SHARE)
    assert [record.labels for record in labels_in(tmp_path / "soft")] == [(0.5, 0.125, 0.0)]
    assert harvest.labels == LabelCounts(
        records=1, labels=3, erroneous=1, min_value=-1.0, max_value=0.0, nothing_to_learn=""
    )
    assert harvest.source == {"trees": 2, "without_solution": 0, "completions": 48, "generated_tokens": 320}
    tree_labels.harvest(trees, tmp_path / "hard", LabelScale.SIGN)
    assert [record.labels for record in labels_in(tmp_path / "hard")] == [(1, 1, -1)]


def test_consensus_keeps_labels_the_reward_model_agrees_with(tmp_path: Path) -> None:
    trees = [completed((0.5, 0.0, 0.0), scores=(0.2, -0.1, 0.3)), completed((0.5, 0.5, 0.0), scores=(0.2, -0.1, 0.3))]
    harvest = consensus_labels.harvest([*trees, completed((0.5, 0.0, 0.0))], tmp_path)
    assert [record.labels for record in labels_in(tmp_path)] == [(1, -1, -1)]
    assert harvest.source == {
        "solutions": 3, "agreed_error_free": 0, "agreed_erroneous": 1, "disagreed": 1, "incomplete": 1, "unjudged": 0,
        "completions": 72, "generated_tokens": 480,
    }  # fmt: skip
    assert harvest.outcomes == OutcomeCounts(correct=0, incorrect=3, nothing_to_learn="all 3 solutions are incorrect")


def labelled_row(solution: Trajectory, ratings: tuple[int, ...]) -> Json:
    """The row of a solution whose first steps got these ratings; the last of them ends the labelling where it is -1."""
    texts = [record.text for record in solution.steps]
    rated = (*ratings, *[None] * (len(texts) - len(ratings)))
    steps = [step(candidate(text, rating)) for text, rating in zip(texts, rated, strict=True)]
    return changed(row(*steps, finish=None, generated=texts), question__problem=solution.problem.question)


def test_annotations_come_back_with_their_own_steps(tmp_path: Path) -> None:
    solutions = [
        Trajectory(PROBLEM, (*STEPS[:2], answer(text)), correct=text == "7", q=1.0) for text in ("7", "8", "9")
    ]
    rows = [
        labelled_row(solution, ratings) for solution, ratings in zip(solutions, ((1, 1, 1), (1, -1), ()), strict=True)
    ]
    harvest = harvest_annotations([write(tmp_path / "labelling.jsonl", *rows)], solutions, tmp_path / "out")
    assert [(record.steps, record.labels) for record in labels_in(tmp_path / "out")] == [
        (solutions[0].steps, (1, 1, 1)), (solutions[1].steps, (1, -1))
    ]  # fmt: skip
    assert outcomes_in(tmp_path / "out") == [True, False]
    assert (harvest.source["labelled"], harvest.source["unlabelled"]) == (2, 1)


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
def test_equal_labels_give_a_reason_and_are_refused(
    tmp_path: Path, tiny_model: Path, labels: list[tuple[float | None, ...]], scale: LabelScale, reason: str
) -> None:
    with open_label_files(tmp_path) as files:
        files.add_labels(StepLabels(PROBLEM, STEPS, labels=record_labels, scale=scale) for record_labels in labels)
    assert files.labels.counts().nothing_to_learn == reason
    if reason:
        with pytest.raises(NothingToLearn):
            load_samples(OBJECTIVES["prm"], tiny_model, [tmp_path / STEP_LABELS], PLAIN, 200)
    else:
        samples, _ = load_samples(OBJECTIVES["prm"], tiny_model, [tmp_path / STEP_LABELS], PLAIN, 200)
        assert len(samples) == 2


def test_equal_outcomes_give_a_reason(tmp_path: Path) -> None:
    tree = Tree(PROBLEM)
    tree.add(0, answer("8"), visits=1, value_sum=-1.0, correct=False)
    for number, (trees, reason) in enumerate(
        [([tree, tree], "all 2 solutions are incorrect"), ([], "there is no solution with a known outcome")]
    ):
        harvest = tree_labels.harvest(trees, tmp_path / str(number), LabelScale.SIGN).outcomes
        assert harvest.nothing_to_learn == reason
    tree.nodes[1].correct = True
    harvest = tree_labels.harvest([tree], tmp_path / "correct", LabelScale.SIGN).outcomes
    assert harvest.nothing_to_learn == "all 1 solutions are correct"


def test_failed_harvest_leaves_no_file(tmp_path: Path) -> None:
    def trees() -> Iterator[Tree]:
        yield grow()[0]
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        tree_labels.harvest(trees(), tmp_path, LabelScale.SIGN)
    assert list(tmp_path.iterdir()) == []


def test_human_labels_become_samples(tmp_path: Path, tiny_model: Path) -> None:
    file = write(tmp_path / "phase.jsonl", FIRST_PHASE, SECOND_PHASE)
    harvest_prm800k([file], tmp_path, grader())
    samples, dropped = load_samples(OBJECTIVES["prm"], tiny_model, [tmp_path / STEP_LABELS], PLAIN, 256)
    assert samples.labels[samples.targets].tolist() == [
        [1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]
    ]  # fmt: skip
    assert set(dropped.values()) == {0}
    samples, _ = load_samples(OBJECTIVES["orm"], tiny_model, [tmp_path / OUTCOMES], PLAIN, 256)
    assert len(samples) == 2
