"""REBASE by hand: how the width is shared, a golden tree, what takes width with it, and the released settings."""

from __future__ import annotations

from inspect import cleandoc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.strategies.registry import revise, search_config
from search.strategies.tree.rebase import Rebase, share_width
from search.tree import Tree
from tests.fakes.drawing import draw
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.scripts import CodeTable, word_policy
from tests.fakes.services import code_services, word_services
from tests.fakes.words import PROBLEM, Words
from tests.search.tree_checks import check_sums, expanded


@pytest.mark.parametrize(
    ("rewards", "width", "temperature", "widths"),
    [
        # exp(R / T) 90.02, 12.18, 1.65: ceil(8 * 0.867) = 7, ceil(1 * 0.881) = 1, then nothing is left
        ([0.9, 0.5, 0.1], 8, 0.2, [7, 1, 0]),
        ([0.1, 0.5, 0.9], 8, 0.2, [0, 1, 7]),
        # 2.46, 1.65, 1.11: ceil(8 * 0.472) = 4, ceil(4 * 0.598) = 3, ceil(1 * 1) = 1
        ([0.9, 0.5, 0.1], 8, 1.0, [4, 3, 1]),
        # 54.6, 54.6, 20.1, the last of equal ones first: ceil(3 * 0.422) = 2, ceil(1 * 0.731) = 1
        ([0.8, 0.8, 0.6], 3, 0.2, [1, 2, 0]),
        ([0.5, 0.5, 0.5], 4, 0.2, [1, 1, 2]),
        ([0.5, 0.5, 0.5], 6, 0.2, [2, 2, 2]),
        ([0.3], 5, 0.2, [5]),
        ([1.0, 0.0], 4, 0.001, [4, 0]),
        ([], 4, 0.2, []),
    ],
)
def test_width_is_shared_by_softmax_in_turn(
    rewards: list[float], width: int, temperature: float, widths: list[int]
) -> None:
    assert share_width(rewards, width, temperature) == widths


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
    st.integers(0, 300),
    st.sampled_from([0.01, 0.1, 0.2, 1.0, 50.0]),
)
def test_all_the_width_is_shared(rewards: list[float], width: int, temperature: float) -> None:
    widths = share_width(rewards, width, temperature)
    assert sum(widths) == width and min(widths) >= 0
    assert widths[rewards.index(max(rewards))] > 0 or rewards.count(max(rewards)) > 1 or width == 0


TABLE: dict[Words, list[str]] = {
    (): ["a", "a", "b", "=7"],
    ("a",): ["=8", "=8", "c"],
    ("a", "c"): ["=9"],
}
REWARDS = {"a": 0.6, "b": 0.2, "=7": 0.8, "=8": 0.1, "c": 0.0, "=9": -0.2}


async def grow(
    table: dict[Words, list[str]], rewards: dict[str, float] | None, **options: int | str
) -> tuple[Tree, list[tuple[Words, int]]]:
    policy = word_policy(table)
    config = search_config(strategy="rebase", **options)
    tree = await Rebase(config).search(PROBLEM.without_answer(), word_services(policy, rewards), 1)
    return tree, [(request.words, request.n) for request in policy.requests]


async def test_golden_tree() -> None:
    """=7 takes one of the width of four with it. The other three are shared by a (R 0.8) as two candidates and b (R 0.6) as
    one: ceil(3 * 0.422) = 2 and ceil(1 * 0.731) = 1 for a, nothing for b. =8 takes two with it, so c draws the last one.
    The vote: 2 * 0.55 for 8, against 0.9 for 7 and 0.4 for 9.
    """
    tree, requests = await grow(TABLE, REWARDS, candidates=4)
    assert requests == [((), 4), (("a",), 3), (("a", "c"), 1)]
    assert draw(tree) == cleandoc("""
        0  question     N 3  Q +0.233
        1  ├─ a x2      N 2  Q +0.167  r +0.600
        4  │  ├─ =8 x2  N 1  Q +0.100  r +0.100  *
        5  │  └─ c      N 1  Q -0.100  r +0.000
        6  │     └─ =9  N 1  Q -0.200  r -0.200
        2  ├─ b                        r +0.200
        3  └─ =7        N 1  Q +0.800  r +0.800
    """)
    assert (tree.strategy, tree.answer) == ("rebase", "8")
    assert tree.cost.generated_tokens == 80
    check_sums(tree)


async def test_answer_is_a_weighted_vote_unless_configured() -> None:
    assert search_config(strategy="rebase").answer_rule == "weighted"
    assert revise(search_config(temperature=0.5), {"strategy": "rebase"}).answer_rule == "weighted"
    assert revise(search_config(answer_rule="posterior"), {"strategy": "rebase"}).answer_rule == "posterior"
    tree, _ = await grow(TABLE, REWARDS, candidates=4, answer_rule="best")
    assert tree.answer == "7"


async def test_width_is_shared_equally_without_rewards() -> None:
    table = {(): ["a", "b", "a", "c"], ("a",): ["=7", "=7"], ("b",): ["!"], ("c",): ["=8"]}
    tree, requests = await grow(table, None, candidates=4)
    assert requests == [((), 4), (("a",), 2), (("b",), 1), (("c",), 1)]
    assert tree.answer == "7"


async def test_graded_tree_shares_equally_and_grades_its_ends() -> None:
    table = {(): ["a", "=8", "b", "=7"], ("a",): ["=7"], ("b",): ["=8"]}
    policy = word_policy(table)
    config = search_config(strategy="rebase", candidates=4)
    tree = await Rebase(config).search(PROBLEM, word_services(policy, graded=True), 1)
    assert [(request.words, request.n) for request in policy.requests] == [((), 4), (("a",), 1), (("b",), 1)]
    assert [tree.nodes[i].correct for i in tree.terminals()] == [False, True, True, False]


async def test_ends_take_their_width_and_failed_code_gives_it_back() -> None:
    _, requests = await grow({(): ["a", "!", "!", "b"], ("a",): ["=7"], ("b",): ["=8"]}, None, candidates=4)
    assert requests == [((), 4), (("a",), 1), (("b",), 1)]
    step = "<end_of_step>"
    table = {(): [f"a = 1{step}", f"raise{step}", f"a = 2{step}"], ("a = 1",): [], ("a = 2",): []}
    policy = ScriptedPolicy(CodeTable(table))
    config = search_config(strategy="rebase", candidates=3)
    await Rebase(config).search(PROBLEM.without_answer(), code_services(policy), 1)
    assert [request.n for request in policy.requests] == [3, 1, 2]


@pytest.mark.parametrize(("budget", "nodes"), [(40, [""]), (41, ["", "a"]), (71, ["", "a", "c"])])
async def test_rebase_ends_when_the_budget_is_exhausted(budget: int, nodes: list[str]) -> None:
    tree, _ = await grow(TABLE, REWARDS, candidates=4, budget_tokens=budget)
    assert expanded(tree) == nodes


async def test_released_preset_walks_as_the_released_code() -> None:
    """Width 16, T 0.2. Four =7 leave 12 to six a (R 0.8, exp(R / T) 54.6) and six b (R 0.6, 20.1). In turn the a get
    ceil(12 * 54.6 / 448.1) = 2, ceil(10 * 54.6 / 393.5) = 2, 2, 2, then ceil(4 * 54.6 / 229.7) = 1 and 1, the b 1, 1 and
    nothing. Ten =8 and two =9 end it: 10 * 0.55 for 8, against 4 * 0.9 and 2 * 0.4.
    """
    table = {(): ["a"] * 6 + ["b"] * 6 + ["=7"] * 4, ("a",): ["=8"] * 10, ("b",): ["=9"] * 2}
    tree, requests = await grow(table, REWARDS, preset="rebase_released")
    assert requests == [((), 16), (("a",), 10), (("b",), 2)]
    assert tree.answer == "8"
