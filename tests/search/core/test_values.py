"""Values of paths and answers of trees, by hand."""

from __future__ import annotations

import math

import pytest

from search.core.values import choose_answer, path_share, path_value, preference_strength
from search.data import Aggregation, Step, StepStatus
from search.tree import ROOT, Tree
from tests.fakes.words import PROBLEM


def chain(tree: Tree, *scores: float, ending: str) -> int:
    index = ROOT
    for score in scores[:-1]:
        index = tree.add(index, Step("step"), score=score)
    return tree.add(index, Step("end", status=StepStatus.FINAL, answer=ending), score=scores[-1])


@pytest.mark.parametrize(
    ("aggregation", "value"),
    [
        (Aggregation.LAST, 0.0),
        (Aggregation.MIN, -0.2),
        (Aggregation.MEAN, 0.1),
        (Aggregation.PRODUCT, 2 * 0.75 * 0.4 * 0.5 - 1),  # (1 + reward) / 2: 0.75, 0.4, 0.5
    ],
)
def test_path_value_by_hand(aggregation: Aggregation, value: float) -> None:
    tree = Tree(PROBLEM)
    assert path_value(tree, chain(tree, 0.5, -0.2, 0.0, ending="7"), aggregation) == pytest.approx(value)


def test_path_value_is_the_grade_or_zero_without_rewards() -> None:
    tree = Tree(PROBLEM)
    end = chain(tree, 0.5, 0.9, ending="8")
    tree.nodes[end].correct = False
    assert path_value(tree, end, Aggregation.MEAN) == -1.0
    assert path_value(tree, tree.add(ROOT, Step("a")), Aggregation.PRODUCT) == 0.0


def test_answer_depends_on_the_aggregation() -> None:
    tree = Tree(PROBLEM)
    chain(tree, 0.9, -0.8, 0.6, ending="7")  # last 0.6, min -0.8, mean 0.233, probabilities 0.95 * 0.1 * 0.8
    chain(tree, 0.2, 0.2, 0.2, ending="8")  # last 0.2, min 0.2, mean 0.2, probabilities 0.6 ** 3
    best = {aggregation: choose_answer(tree, "best", aggregation) for aggregation in Aggregation}
    assert best == {
        Aggregation.LAST: "7",
        Aggregation.MIN: "8",
        Aggregation.MEAN: "7",
        Aggregation.PRODUCT: "8",
    }


def test_vote_adds_equal_answers_and_multiplicities() -> None:
    tree = Tree(PROBLEM)
    chain(tree, 0.6, ending="7")  # 0.8
    chain(tree, -0.4, ending="8")  # 0.3
    twice = chain(tree, -0.4, ending="8.0")  # 0.3, drawn twice: 0.9 in all
    assert choose_answer(tree, "weighted") == "7"
    tree.nodes[twice].multiplicity = 2
    assert choose_answer(tree, "weighted") == "8"
    assert choose_answer(tree, "best") == "7"


def test_path_share_and_posterior_answer_by_hand() -> None:
    tree = Tree(PROBLEM)
    often, rare = tree.add(ROOT, Step("a"), multiplicity=3), tree.add(ROOT, Step("b"))
    tree.add(often, Step("dead", status=StepStatus.CODE_ERROR), multiplicity=2)
    end = tree.add(often, Step("end", status=StepStatus.FINAL, answer="7"), multiplicity=2, score=0.0)
    other = tree.add(rare, Step("end", status=StepStatus.FINAL, answer="8"), multiplicity=2, score=0.6)
    assert (path_share(tree, end), path_share(tree, other), path_share(tree, ROOT)) == (3 / 4 * 2 / 4, 1 / 4, 1.0)
    assert choose_answer(tree, "weighted") == choose_answer(tree, "best") == "8"
    assert math.isclose(preference_strength(0.6), 2) and math.isclose(
        preference_strength(math.tanh(-3.0)), math.exp(-3.0)
    )
    assert choose_answer(tree, "posterior") == "8"  # 0.25 * 2 against 0.375 * 1 …
    tree.nodes[end].score = 0.3
    assert choose_answer(tree, "posterior") == "7"  # … and against 0.375 * 1.363 = 0.511
    assert choose_answer(tree, "weighted") == "8"
