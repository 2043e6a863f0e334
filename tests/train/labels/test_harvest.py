"""Labels from each source to files that training reads, with counts and, where there is nothing to learn, the reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest

from search.data import Cost, LabelScale, Problem, Step, StepLabels, Trajectory
from search.errors import UserError
from search.formats.registry import PlainFormat
from search.grading.grader import grader
from search.tree import ROOT, Tree
from tests.train.labels.prm800k_rows import FIRST_PHASE, SECOND_PHASE, Json, candidate, changed, row, step, write
from tests.train.labels.test_tree_labels import answer, grow
from train.data.loading import NothingToLearn, load_samples, read_records
from train.labels.files import LABEL_COUNTS, OUTCOMES, STEP_LABELS, LabelCounts, OutcomeCounts, label_file
from train.labels.harvest import harvest_consensus, harvest_labelled, harvest_people, harvest_trees
from train.objectives import Kind

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


def completed(*labels: tuple[float | None, ...], scores: tuple[float, ...] = ()) -> Tree:
    """A tree of a search for labels: wrong chains of STEPS, with these labels in their nodes and 8 completions in each."""
    tree = Tree(PROBLEM, strategy="every_step", cost=Cost(160, requests=2))
    for number, given in enumerate(labels):
        end = ROOT
        for made, label in zip_longest((*STEPS[:2], answer(str(number))), given):
            end = tree.add(end, made, label=label, completions=8)
        tree.nodes[end].correct = False
        for index, score in zip(tree.path(end), scores, strict=False):
            tree.nodes[index].score = score
    return tree


def test_completions_and_what_they_cost(tmp_path: Path) -> None:
    trees = [completed((0.5, 0.125, 0.0)), completed(())]
    found = harvest_trees(trees, tmp_path / "soft", LabelScale.SHARE)
    assert [one.labels for one in labels_in(tmp_path / "soft")] == [(0.5, 0.125, 0.0)]
    assert found.labels == LabelCounts(1, 3, erroneous=1, least=-1.0, greatest=0.0, nothing_to_learn="")
    assert found.source == {"trees": 2, "without_solution": 0, "completions": 48, "generated_tokens": 320}
    harvest_trees(trees, tmp_path / "hard", LabelScale.SIGN)
    assert [one.labels for one in labels_in(tmp_path / "hard")] == [(1, 1, -1)]


def test_consensus(tmp_path: Path) -> None:
    trees = [completed((0.5, 0.0, 0.0), scores=(0.2, -0.1, 0.3)), completed((0.5, 0.5, 0.0), scores=(0.2, -0.1, 0.3))]
    found = harvest_consensus([*trees, completed((0.5, 0.0, 0.0))], tmp_path)
    assert [one.labels for one in labels_in(tmp_path)] == [(1, -1, -1)]
    assert found.source == {
        "solutions": 3, "agreed_right": 0, "agreed_wrong": 1, "apart": 1, "unsettled": 1, "unjudged": 0,
        "completions": 72, "generated_tokens": 480,
    }  # fmt: skip
    assert found.outcomes == OutcomeCounts(0, 3, "all 3 solutions are wrong")


def labelled_row(solution: Trajectory, ratings: tuple[int, ...]) -> Json:
    """The row of a solution whose first steps got these ratings; the last of them ends the labelling where it is -1."""
    texts = [one.text for one in solution.steps]
    rated = (*ratings, *[None] * (len(texts) - len(ratings)))
    steps = [step(candidate(text, rating)) for text, rating in zip(texts, rated, strict=True)]
    return changed(row(*steps, finish=None, given=texts), question__problem=solution.problem.question)


def test_what_was_given_out_comes_back_with_its_own_steps(tmp_path: Path) -> None:
    solutions = [Trajectory(PROBLEM, (*STEPS[:2], answer(text)), text == "7", 1.0) for text in ("7", "8", "9")]
    rows = [
        labelled_row(solution, ratings) for solution, ratings in zip(solutions, ((1, 1, 1), (1, -1), ()), strict=True)
    ]
    found = harvest_labelled([write(tmp_path / "labelling.jsonl", *rows)], solutions, tmp_path / "out")
    assert [(one.steps, one.labels) for one in labels_in(tmp_path / "out")] == [
        (solutions[0].steps, (1, 1, 1)), (solutions[1].steps, (1, -1))
    ]  # fmt: skip
    assert outcomes_in(tmp_path / "out") == [True, False]
    assert (found.source["labelled"], found.source["unlabelled"]) == (2, 1)


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
    with label_file(tmp_path) as file:
        for one in labels:
            file.add(StepLabels(PROBLEM, STEPS, one, scale))
    assert file.counts().nothing_to_learn == reason
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
        assert found.nothing_to_learn == reason
    tree.nodes[1].correct = True
    found = harvest_trees([tree], tmp_path / "right", LabelScale.SIGN).outcomes
    assert found.nothing_to_learn == "all 1 solutions are right"


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
