"""With one rollout at a time no tree depends on the order in which engines answer, whatever the strategy."""

from __future__ import annotations

import random

import pytest

from search.data import Cost
from search.strategies.registry import STRATEGIES, build, search_config
from tests.fakes.scripts import word_policy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM
from tests.search.tree_checks import shape

TABLE = {
    (): ["a", "b", "c", "d"],
    ("a",): ["e", "=7", "e", "=8"],
    ("b",): ["f", "!", "=9"],
    ("c",): ["=7", "g"],
    ("d",): ["!", "!!"],
    ("a", "e"): ["=7", "=5"],
    ("b", "f"): ["=4", "h"],
    ("c", "g"): ["=3", "=7"],
    ("b", "f", "h"): ["=2"],
}
LINES = ["a e =7", "b f =4", "a e =7", "c !"]
REWARDS = {"a": 0.3, "b": 0.6, "c": 0.1, "e": 0.2, "f": 0.7, "g": 0.1, "=7": 0.4, "=4": 0.8, "=9": -0.3, "h": 0.75}
NAMES = [name for name in STRATEGIES if name != "budget_forcing"]  # which takes no words: test_budget_forcing.py
SETTINGS = {
    "rollouts": 5, "candidates": 4, "beam_width": 2, "max_solution_tokens": 20, "max_step_tokens": 10,
    "actions": ("A1", "A2", "A3", "A4"),  # the table has no question in other words
}  # fmt: skip


@pytest.mark.parametrize("graded", [True, False], ids=["graded", "scored"])
@pytest.mark.parametrize("budget", [None, 70], ids=["no budget", "budget"])
@pytest.mark.parametrize("name", NAMES)
async def test_tree_is_the_same_in_whatever_order_engines_answer(name: str, budget: int | None, graded: bool) -> None:
    graded = graded or STRATEGIES[name].needs_answers
    options = {key: value for key, value in SETTINGS.items() if key in STRATEGIES[name].options.model_fields}
    strategy = build(search_config(strategy=name, budget_tokens=budget, **options))
    plain = word_policy(TABLE, LINES)
    expected = await strategy.search(PROBLEM, word_services(plain, REWARDS, graded=graded), 3)
    assert len(expected.nodes) > 4
    for shuffle in range(20):
        policy = word_policy(TABLE, LINES, delays=random.Random(shuffle))
        tree = await strategy.search(PROBLEM, word_services(policy, REWARDS, graded=graded), 3)
        assert shape(tree) == shape(expected)
        assert policy.counts == plain.counts
        assert (tree.answer, tree.failures) == (expected.answer, expected.failures)
        assert untimed(tree.cost) == untimed(expected.cost)


def untimed(cost: Cost) -> Cost:
    return cost + Cost(seconds=-cost.seconds)
