"""Values of paths and answers of trees, by hand."""

from __future__ import annotations

import math

import pytest

from search.core.values import Choice, choose_answer, path_rank, path_value
from search.data import Aggregation, Step, StepStatus
from search.evaluation.readings import log_strength
from search.evaluation.solutions import path_share
from search.tree import ROOT, Tree
from tests.fakes.words import PROBLEM


def chain(tree: Tree, *scores: float, ending: str) -> int:
    index = ROOT
    for score in scores[:-1]:
        index = tree.add(index, Step("step"), logit=math.atanh(score))
    return tree.add(index, Step("end", status=StepStatus.FINAL, answer=ending), logit=math.atanh(scores[-1]))


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
    best = {aggregation: choose_answer(tree, "best", aggregation).answer for aggregation in Aggregation}
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
    assert choose_answer(tree, "weighted").answer == "7"
    tree.nodes[twice].multiplicity = 2
    assert choose_answer(tree, "weighted").answer == "8"
    assert choose_answer(tree, "best").answer == "7"


def test_majority_counts_draws_whatever_the_rewards() -> None:
    tree = Tree(PROBLEM)
    chain(tree, 0.9, ending="7")
    twice = chain(tree, -0.9, ending="8")
    assert choose_answer(tree, "majority") == Choice("7", ties=1)
    tree.nodes[twice].multiplicity = 2
    assert choose_answer(tree, "majority") == Choice("8", ties=0)


def test_path_share_and_posterior_answer_by_hand() -> None:
    tree = Tree(PROBLEM)
    often, rare = tree.add(ROOT, Step("a"), multiplicity=3), tree.add(ROOT, Step("b"))
    tree.add(often, Step("dead", status=StepStatus.CODE_ERROR), multiplicity=2)
    end = tree.add(often, Step("end", status=StepStatus.FINAL, answer="7"), multiplicity=2, logit=0.0)
    other = tree.add(rare, Step("end", status=StepStatus.FINAL, answer="8"), multiplicity=2, logit=math.atanh(0.6))
    shares = (path_share(tree, end), path_share(tree, other), path_share(tree, ROOT))
    assert shares == pytest.approx((3 / 4 * 2 / 4, 1 / 4, 1.0))
    assert choose_answer(tree, "weighted").answer == choose_answer(tree, "best").answer == "8"
    assert math.isclose(math.exp(log_strength(2 * math.atanh(0.6))), 2) and log_strength(-6.0) == -3.0
    assert choose_answer(tree, "posterior").answer == "8"  # 0.25 * 2 against 0.375 * 1 …
    tree.nodes[end].logit = math.atanh(0.3)
    assert choose_answer(tree, "posterior").answer == "7"  # … and against 0.375 * 1.363 = 0.511
    assert choose_answer(tree, "weighted").answer == "8"


@pytest.mark.parametrize("rule", ["best", "weighted", "posterior"])
@pytest.mark.parametrize("aggregation", list(Aggregation))
@pytest.mark.parametrize("logits", [(25.0, 30.0), (30.0, 25.0), (400.0, 401.0), (-30.0, -25.0), (-401.0, -400.0)])
def test_larger_logit_wins_where_values_are_equal(
    rule: str, aggregation: Aggregation, logits: tuple[float, float]
) -> None:
    """tanh of both is 1.0, or -1.0. Each solution is one of two equal shares of the root's candidates."""
    tree = Tree(PROBLEM)
    for answer, logit in zip(("7", "8"), logits, strict=True):
        tree.add(ROOT, Step(answer, status=StepStatus.FINAL, answer=answer), logit=logit)
    assert tree.nodes[1].score == tree.nodes[2].score
    best = "7" if logits[0] > logits[1] else "8"
    assert choose_answer(tree, rule, aggregation) == Choice(best, ties=0)


@pytest.mark.parametrize("rule", ["best", "weighted", "posterior"])
@pytest.mark.parametrize("aggregation", [Aggregation.PRODUCT, Aggregation.MEAN])
def test_larger_logit_wins_beside_an_equal_doubtful_step(rule: str, aggregation: Aggregation) -> None:
    tree = Tree(PROBLEM)
    for answer, logit in (("7", 12.0), ("8", 13.0)):
        doubtful = tree.add(ROOT, Step(f"doubtful {answer}"), logit=-1.5)
        tree.add(doubtful, Step(answer, status=StepStatus.FINAL, answer=answer), logit=logit)
    assert choose_answer(tree, rule, aggregation).answer == "8"


def test_vote_of_two_beats_one_of_a_larger_logit() -> None:
    tree = Tree(PROBLEM)
    for number, (answer, logit) in enumerate((("8", 40.0), ("7", 25.0), ("7", 25.0))):
        tree.add(ROOT, Step(f"{number}", status=StepStatus.FINAL, answer=answer), logit=logit)
    answers = {rule: choose_answer(tree, rule).answer for rule in ("best", "weighted", "posterior")}
    assert answers == {"best": "8", "weighted": "7", "posterior": "8"}  # posterior: e^40 against 2 * e^25


@pytest.mark.parametrize("rule", ["best", "weighted", "posterior"])
def test_ties_between_different_answers_are_counted(rule: str) -> None:
    tree = Tree(PROBLEM)
    for number, (answer, logit) in enumerate((("7", 25.0), ("7.0", 20.0), ("8", 25.0), ("8", 20.0), ("9", 24.0))):
        tree.add(ROOT, Step(f"{number}", status=StepStatus.FINAL, answer=answer), logit=logit)
    assert choose_answer(tree, rule) == Choice("7", ties=1)
    for node in tree.nodes[1:]:
        node.correct = False
    assert choose_answer(tree, rule).ties == 0  # grades decide


def test_rank_orders_solutions_as_their_values_do() -> None:
    tree = Tree(PROBLEM)
    ends = [
        chain(tree, 0.9, -0.8, 0.6, ending="7"),
        chain(tree, 0.2, 0.2, 0.2, ending="8"),
        chain(tree, 0.3, ending="9"),
    ]
    for aggregation in Aggregation:
        by_value = sorted(ends, key=lambda end: path_value(tree, end, aggregation))
        assert sorted(ends, key=lambda end: path_rank(tree, end, aggregation)) == by_value
