"""Labels of a small reward model by a large one: by hand, and what is left out."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from search.data import Problem, Step, StepLabels, StepStatus, Trajectory
from search.reward_models import RewardModelKind
from search.tree import ROOT, Tree
from train.data.records import read_records
from train.record_files import OUTCOMES, STEP_LABELS
from train.rules.base import RuleInputs
from train.rules.registry import rule_options
from train.rules.step_labels.synthetic_labels import RULE, incorrect_probability, step_signs

PROBLEM = Problem(id="p1", question="How many?", answer="7", source="test")


def add_solution(tree: Tree, texts: str, correct_shares: list[float | None], grade: bool | None = None) -> int:
    """Add a solution of a step a word, each with the probability of being correct; return its end."""
    index = ROOT
    *before, last = texts.split()
    for text, share in zip([*before, last], correct_shares, strict=True):
        step = Step(text) if text is not last else Step(text, status=StepStatus.FINAL, answer=text)
        logit = None if share is None else math.log(share / (1 - share))
        index = tree.add(index, step, logit=logit, squash_scale=2.0)
    tree.nodes[index].correct = grade
    return index


def prm_tree() -> Tree:
    return Tree(PROBLEM, strategy="sampling", reward_kind=RewardModelKind.PRM)


def test_labels_stop_at_the_first_incorrect_step() -> None:
    assert step_signs([0.05, 0.2, 0.21, 0.01], 0.2) == (1.0, 1.0, -1.0)
    assert step_signs([0.05, 0.2], 0.2) == (1.0, 1.0)
    assert step_signs([0.3, 0.3], 0.5) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("kind", "expected"), [(RewardModelKind.PRM, 1 / 5), (RewardModelKind.PPM, (1 - math.tanh(math.log(4) / 2)) / 2)]
)
def test_probability_is_read_as_the_kind_is(kind: RewardModelKind, expected: float) -> None:
    tree = prm_tree()
    node = tree.nodes[tree.add(ROOT, Step("a"), logit=math.log(4), squash_scale=2.0)]
    assert incorrect_probability(node, kind) == pytest.approx(expected)
    assert incorrect_probability(tree.nodes[ROOT], kind) is None


def harvest(trees: list[Tree], out: Path, threshold: float = 0.2) -> dict[str, str]:
    result = RULE.write(RuleInputs(trees=trees), rule_options("synthetic_labels", {"threshold": threshold}), out)
    return dict(result.nothing_to_learn)


def test_outcome_is_what_the_labels_say_and_not_the_grade(tmp_path: Path) -> None:
    """a b 7 has a step of P(incorrect) 0.25: it is incorrect although it ends in 7. a c 8 has none above 0.2."""
    tree = prm_tree()
    add_solution(tree, "a b 7", [0.9, 0.75, 0.9], grade=True)
    add_solution(tree, "a c 8", [0.9, 0.85, 0.81], grade=False)
    add_solution(tree, "d 9", [0.1, 0.9], grade=False)
    add_solution(tree, "e 9", [None, 0.9], grade=False)  # a step without a score
    assert harvest([tree, prm_tree()], tmp_path) == {}
    records = list(read_records(StepLabels, [tmp_path / STEP_LABELS]))
    assert [([step.text for step in record.steps], record.labels) for record in records] == [
        (["a", "b", "7"], (1, -1)), (["a", "c", "8"], (None, 1, 1)), (["d", "9"], (-1,)),
    ]  # fmt: skip
    outcomes = list(read_records(Trajectory, [tmp_path / OUTCOMES]))
    assert [(outcome.steps[-1].text, outcome.correct, outcome.q) for outcome in outcomes] == [
        ("7", False, -1.0), ("8", True, 1.0), ("9", False, -1.0),
    ]  # fmt: skip
    counts = json.loads((tmp_path / "label_counts.json").read_text())["source"]
    assert counts == {"trees": 2, "solutions": 4, "unscored": 1, "graded": 3, "agreed": 1}


def test_threshold_is_an_option(tmp_path: Path) -> None:
    tree = prm_tree()
    add_solution(tree, "a b 7", [0.9, 0.75, 0.9])
    harvest([tree], tmp_path, threshold=0.3)
    (record,) = read_records(StepLabels, [tmp_path / STEP_LABELS])
    assert record.labels == (1, 1, 1)


def test_scores_of_ends_alone_give_a_reason(tmp_path: Path) -> None:
    tree = prm_tree()
    add_solution(tree, "a 7", [None, 0.9])
    reasons = harvest([tree], tmp_path)
    assert set(reasons) == {STEP_LABELS, OUTCOMES} and "step_aggregation: product" in reasons[STEP_LABELS]
