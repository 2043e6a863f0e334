"""Agreement without a reference answer: final scores, what a second policy is shown, what agrees, who is chosen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.core.values import back_up
from search.data import State, Step, StepStatus
from search.formats.base import StepFormat
from search.formats.code_format import CodeFormat
from search.formats.plain_format import PlainFormat
from search.strategies.registry import search_config
from search.strategies.tree.rstar.config import ConsistencyConfig
from search.strategies.tree.rstar.mutual_consistency import (
    choose,
    choose_by_answer,
    final_scores,
    is_agreement,
    prefix,
    shares_shown,
)
from search.tree import ROOT, Tree
from tests.fakes.words import PROBLEM


def end(answer: str) -> Step:
    return Step(f"\\boxed{{{answer}}}", status=StepStatus.FINAL, answer=answer)


def test_final_scores_by_hand() -> None:
    tree = Tree(PROBLEM)
    a, b = tree.add(ROOT, Step("a")), tree.add(ROOT, Step("b"))
    seven, also, eight = tree.add(a, end("7")), tree.add(b, end("7")), tree.add(b, end("8"))
    unvisited = tree.add(a, end("8"))
    rewards = {seven: 0.5, also: 1.0, eight: 0.4}
    for index, value in rewards.items():
        back_up(tree, index, value)
    # a and 7: Q 0.5, 0.5; b has Q 0.7
    scores = final_scores(tree, rewards.__getitem__)
    assert scores == pytest.approx({seven: 0.5 * 0.5, also: (0.7 + 1.0) / 2, eight: (0.7 + 0.4) / 2 * 0.4})
    assert unvisited not in scores


def test_choosing_by_answer_by_hand() -> None:
    tree = Tree(PROBLEM)
    seven, also, eight = (tree.add(ROOT, end(answer)) for answer in ("7", "7.0", "8"))
    rewards = {seven: 0.5, also: 0.25, eight: 0.4}
    for index, value in rewards.items():
        back_up(tree, index, value)  # each counts twice: once as an end, once for its rollout
    ends = [seven, also, eight]
    # 7: 2 * 0.5 / 4 + 2 / 4 = 0.75, 8: 2 * 0.4 / 4 + 2 / 2 = 1.2
    assert choose_by_answer(tree, ends, [seven, eight], rewards.__getitem__) == eight
    # all survive: 7: 2 * 0.75 / 6 + 4 / 4 = 1.25, 8: 2 * 0.4 / 6 + 2 / 2 = 1.133
    assert choose_by_answer(tree, ends, ends, rewards.__getitem__) == seven
    # none does: 7 has 2 * 0.75, 8 has 2 * 0.4
    assert choose_by_answer(tree, ends, [], rewards.__getitem__) == seven
    # a second rollout to 8: 3 * 0.4 / 5 + 3 / 3 = 1.24 against 2 * 0.5 / 5 + 2 / 4 = 0.7
    back_up(tree, eight, 0.4)
    assert choose_by_answer(tree, ends, [seven, eight], rewards.__getitem__) == eight
    assert choose_by_answer(tree, [], [], rewards.__getitem__) is None


@pytest.mark.parametrize(
    ("completions", "majority", "half"),
    [
        (["7", "8", "8", "7"], True, True),  # of equals the first
        (["8", "7", "8", "7"], False, True),
        (["7.0", None, None, None], True, False),  # no answer is no answer of its own, but a completion
        (["7", "7", "7", "8"], True, True),
        (["8", None, "7", "8"], False, False),
        ([None] * 4, False, False),
        (["8"], False, False),
    ],
)
def test_agreement_by_hand(completions: list[str | None], majority: bool, half: bool) -> None:
    assert is_agreement("7", completions, "majority") is majority
    assert is_agreement("7", completions, "half") is half


def consistency(**options: object) -> ConsistencyConfig:
    config = search_config(strategy="rstar", **options)
    assert isinstance(config, ConsistencyConfig)
    return config


def test_shares_shown_are_evenly_spaced() -> None:
    assert shares_shown(consistency(checks=4), 1) == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert shares_shown(consistency(checks=3, most_shown=0.5), 1) == pytest.approx([0.2, 0.35, 0.5])
    alone = {shares_shown(consistency(checks=1), seed)[0] for seed in range(20)}
    assert len(alone) == 20 and all(0.2 <= share <= 0.8 for share in alone)


def test_shares_that_cross_are_refused() -> None:
    with pytest.raises(ValueError, match=r"least_shown 0\.6 is above most_shown 0\.5"):
        consistency(least_shown=0.6, most_shown=0.5)


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
