"""Q of a node, with and without the score of a reward model, and of ends that no rollout entered."""

from __future__ import annotations

import math

import pytest

from search.data import Step, StepStatus
from search.tree import Node
from train.labels.node_values import leaf_outcome, q_with_score, q_without_score

LOGIT = math.atanh(0.8)  # its value is 0.8
ANSWER = Step("so 4", status=StepStatus.FINAL, answer="4")
ERROR = Step("1 / 0", status=StepStatus.CODE_ERROR)


def test_score_counts_as_the_first_value() -> None:
    node = Node(0, Step("a"), 1, visits=4, value_sum=4.0, logit=LOGIT)
    assert q_with_score(node) == pytest.approx((0.8 + 4) / 5)
    assert q_without_score(node) == 1.0


def test_node_without_values_has_no_q() -> None:
    fresh, scored = Node(0, Step("a"), 1), Node(0, Step("a"), 1, logit=LOGIT)
    assert (q_with_score(fresh), q_without_score(fresh)) == (None, None)
    assert (q_with_score(scored), q_without_score(scored)) == (pytest.approx(0.8), None)


@pytest.mark.parametrize(
    ("node", "outcome"),
    [
        (Node(0, ANSWER, 1, correct=True), True),
        (Node(0, ANSWER, 1, correct=False), False),
        (Node(0, ERROR, 1), False),
        (Node(0, Step("endless", status=StepStatus.TOO_DEEP), 1), False),
    ],
)
def test_end_without_a_rollout_stands_at_its_outcome(node: Node, outcome: bool) -> None:
    assert leaf_outcome(node) is outcome
    assert q_with_score(node) == q_without_score(node) == (1.0 if outcome else -1.0)


def test_ungraded_answer_has_no_outcome() -> None:
    assert leaf_outcome(Node(0, ANSWER, 1)) is None and q_with_score(Node(0, ANSWER, 1)) is None
