"""Agreement without a reference answer: confidence, final scores, what a second policy is shown, who is chosen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.core.values import back_up
from search.data import State, Step, StepStatus
from search.formats.base import StepFormat
from search.formats.code_format import CodeFormat
from search.formats.plain_format import PlainFormat
from search.strategies.tree.mutual_consistency import choose, confidence, final_scores, prefix
from search.tree import ROOT, Tree
from tests.fakes.words import PROBLEM


def end(answer: str) -> Step:
    return Step(f"\\boxed{{{answer}}}", status=StepStatus.FINAL, answer=answer)


def test_confidence_by_hand() -> None:
    tree = Tree(PROBLEM)
    assert confidence(tree, "7") == 0.0
    tree.add(ROOT, end("7"), multiplicity=2)
    tree.add(ROOT, end("1/2"))
    tree.add(ROOT, end("0.5"))  # the same number
    tree.add(ROOT, Step("cut", status=StepStatus.NO_ANSWER))  # no answer, no vote
    tree.add(tree.add(ROOT, Step("open")), end("12"))
    assert confidence(tree, "7") == 2 / 5
    assert confidence(tree, "0.50") == 2 / 5
    assert confidence(tree, "12") == 1 / 5
    assert confidence(tree, "13") == confidence(tree, None) == 0.0


def test_final_scores_by_hand() -> None:
    tree = Tree(PROBLEM)
    a, b = tree.add(ROOT, Step("a")), tree.add(ROOT, Step("b"))
    seven, also, eight = tree.add(a, end("7")), tree.add(b, end("7")), tree.add(b, end("8"))
    unvisited = tree.add(a, end("8"))
    for index, value in ((seven, 0.5), (also, 1.0), (eight, 0.4)):
        back_up(tree, index, value)
    # a and 7: Q 0.5, 0.5; b has Q 0.7; each answer has half of the four votes
    assert final_scores(tree) == pytest.approx({seven: 0.25, also: (0.7 + 1.0) / 2 * 0.5, eight: (0.7 + 0.4) / 2 * 0.5})
    assert unvisited not in final_scores(tree)


def test_choosing() -> None:
    scores = {4: 0.2, 6: 0.9, 8: 0.9, 9: 0.5}
    assert choose(scores, [4, 9]) == 9
    assert choose(scores, [4, 6, 8, 9]) == 6  # of equals the first
    assert choose(scores, []) == 6  # nobody survived
    assert choose({}, []) is None


@given(st.dictionaries(st.integers(1, 20), st.floats(0, 1), min_size=1), st.sets(st.integers(1, 20)))
def test_nobody_is_chosen_over_a_better_survivor(scores: dict[int, float], survivors: set[int]) -> None:
    chosen = choose(scores, survivors)
    assert chosen is not None
    running = survivors & scores.keys()
    assert chosen in (running or scores)
    assert scores[chosen] == max(scores[i] for i in running or scores)


@pytest.mark.parametrize(
    ("steps", "share", "many"),
    [(1, 0.8, 0), (2, 0.2, 1), (2, 0.8, 1), (5, 0.2, 1), (5, 0.5, 2), (5, 0.8, 4), (10, 0.34, 3)],
)
def test_what_the_second_policy_is_shown(steps: int, share: float, many: int) -> None:
    state = State(PROBLEM, (*(Step(f"{i}\n\n") for i in range(steps - 1)), end("7")))
    assert prefix(state, share, PlainFormat()).steps == state.steps[:many]


@pytest.mark.parametrize(("steps", "many"), [(0, 0), (1, 1), (2, 2), (3, 3)])
def test_a_finished_program_is_not_shown(steps: int, many: int) -> None:
    """At most: what is left to do would be reading off the output."""
    code = [Step(f"a = {i}<end_of_step>", code=f"a = {i}") for i in range(steps)]
    state = State(PROBLEM, (*code, Step("print(a)<end_of_code>", code="print(a)", output="7"), end("7")))
    assert len(prefix(state, 0.99, CodeFormat()).steps) == many


@given(st.integers(1, 30), st.floats(0.2, 0.8), st.sampled_from([CodeFormat(), PlainFormat()]))
def test_something_is_shown_and_something_left_to_do(steps: int, share: float, step_format: StepFormat) -> None:
    state = State(PROBLEM, (*(Step(f"{i}<end_of_step>") for i in range(steps)), end("7")))
    assert 1 <= len(prefix(state, share, step_format).steps) <= steps
