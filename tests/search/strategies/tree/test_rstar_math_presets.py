"""rStar-Math's presets: their values, and one scripted tree walked through each, by hand."""

from __future__ import annotations

import math
from inspect import cleandoc
from typing import Any

import pytest

from search.strategies.registry import search_config
from search.strategies.tree.mcts import Mcts, MctsConfig
from tests.fakes.drawing import draw
from tests.fakes.reward_model import ScriptedRewardModel
from tests.fakes.scripts import word_policy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM, Words, words

TABLE: dict[Words, list[str]] = {
    (): ["a", "b", "!"],
    ("a",): ["c", "=7", "=8"],
    ("a", "c"): ["=7"],
    ("b",): ["d", "!"],
    ("b", "d"): ["=9"],
}
REWARDS = {"a": 0.2, "b": 0.4, "c": 0.1, "d": 0.3, "=7": 0.8, "=8": 0.6, "=9": -0.5}


async def grown(preset: str, rollouts: int) -> tuple[str, list[int]]:
    """Return the tree of a preset, drawn, and how many candidates it asked for. Presets of test time search blind."""
    config = search_config(preset=preset, rollouts=rollouts)
    assert isinstance(config, MctsConfig)
    scale = config.squash_scale
    blind = preset.endswith("_test")
    policy = word_policy(TABLE)
    rewards = ScriptedRewardModel(lambda state: scale * math.atanh(REWARDS[words(state)[-1]])) if blind else None
    tree = await Mcts(config).search(PROBLEM, word_services(policy, graded=not blind, reward_model=rewards), 1)
    return draw(tree), sorted({request.n for request in policy.requests})


PAPER: dict[str, Any] = {
    "candidates": 8, "rollouts": 16, "exploration": 2.0, "max_depth": 16, "unvisited_value": "inf",
    "keep_failed": False, "finish_first": False, "reenter": True, "back_up_finished": "on_visit", "squash_scale": 1.0,
}  # fmt: skip
RELEASED: dict[str, Any] = {
    "candidates": 12, "rollouts": 48, "exploration": 2.0, "max_depth": 17, "unvisited_value": "zero",
    "keep_failed": True, "finish_first": True, "reenter": False, "back_up_finished": "at_creation", "squash_scale": 5.0,
    "temperature": 1.0, "max_step_tokens": 2048,
}  # fmt: skip


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("paper", PAPER),
        ("paper_bootstrap", PAPER | {"candidates": 5, "rollouts": 8}),
        ("paper_test", PAPER | {"candidates": 32, "rollouts": 4, "answer_rule": "best", "step_aggregation": "last"}),
        ("released", RELEASED),
        ("released_bootstrap", RELEASED | {"temperature": 0.7}),
        ("released_test", RELEASED | {"candidates": 32, "rollouts": 12, "answer_rule": "best", "step_aggregation": "last"}),
    ],
)  # fmt: skip
def test_preset_has_the_values_of_its_source(preset: str, expected: dict[str, Any]) -> None:
    config = search_config(preset=preset)
    assert {name: getattr(config, name) for name in expected} == expected


@pytest.mark.parametrize(("preset", "candidates"), [("paper", 8), ("paper_bootstrap", 5)])
async def test_paper_enters_every_child_and_goes_back_to_ends(preset: str, candidates: int) -> None:
    """The failed steps are left out. Unvisited children go first, an end is backed up whenever a rollout ends there.

    1: a, c, =7: +1. 2: b, d, =9: -1. 3: a has 1 + 2 * sqrt(ln 2) = 2.665, b -1 + 1.665 = 0.665 → a, its unvisited =7: +1.
    4: a 1 + 2 * sqrt(ln 3 / 2) = 2.482, b -1 + 2 * sqrt(ln 3) = 1.096 → a, its unvisited =8: -1.
    5: a 1/3 + 2 * sqrt(ln 4 / 3) = 1.693, b -1 + 2 * sqrt(ln 4) = 1.355 → a, where c and =7 tie → c, its =7 again: +1.
    """
    tree, asked_for = await grown(preset, 5)
    assert asked_for == [candidates]
    assert tree == cleandoc("""
        0  question     N 5  Q +0.200
        1  ├─ a         N 4  Q +0.500
        3  │  ├─ c      N 2  Q +1.000
        6  │  │  └─ =7  N 2  Q +1.000  correct    *
        4  │  ├─ =7     N 1  Q +1.000  correct    *
        5  │  └─ =8     N 1  Q -1.000  incorrect
        2  └─ b         N 1  Q -1.000
        7     └─ d      N 1  Q -1.000
        8        └─ =9  N 1  Q -1.000  incorrect
    """)


@pytest.mark.parametrize("preset", ["released", "released_bootstrap"])
async def test_released_code_backs_up_ends_once_and_closes_them(preset: str) -> None:
    """Failed steps stay, with a visit of their own. An end drops the other candidates and is backed up as it is created.

    1: a and b have 0 → a, whose only child =7 gives it +1; nothing is left to enter at a, which is closed.
    2: b has 0, a is closed → b, d, whose only child =9 gives -1; d is closed. 3: b, where nothing is left: closed.
    4: nothing is left at the question: the tree ends, without the fifth rollout.
    """
    tree, asked_for = await grown(preset, 5)
    assert asked_for == [12]
    assert tree == cleandoc("""
        0  question     N 2  Q +0.000
        1  ├─ a         N 1  Q +1.000
        4  │  └─ =7     N 1  Q +1.000  correct    *
        2  ├─ b         N 1  Q -1.000
        5  │  ├─ d      N 1  Q -1.000
        7  │  │  └─ =9  N 1  Q -1.000  incorrect
        6  │  └─ !      N 1  Q -1.000  no_answer
        3  └─ !         N 1  Q -1.000  no_answer
    """)


async def test_paper_at_test_time_counts_a_reward_as_a_visit() -> None:
    """The value of an end is its reward; N below is the number of visits and rewards.

    1: the question has N 0, so a 0.2 and b 0.4 → b, d, =9: -0.5; b has (0.4 - 0.5) / 2 = -0.05.
    2: ln 1 = 0: a 0.2 → a; N 1 there, so =7 has 0.8 → 0.8. 3: a 0.5 + 2 * sqrt(ln 2 / 2) = 1.677, b 1.127 → a, where
    c has 0.1 + 2 * sqrt(ln 2) = 1.765, =7 0.8 + 2 * sqrt(ln 2 / 2) = 1.977, =8 0.6 + 1.665 = 2.265 → =8.
    4: a 1.6 / 3 + 2 * sqrt(ln 3 / 3) = 1.744, b -0.05 + 2 * sqrt(ln 3 / 2) = 1.432 → a, where c has 2.196,
    =7 0.8 + 2 * sqrt(ln 3 / 2) = 2.282, =8 2.082 → =7 again.
    """
    tree, asked_for = await grown("paper_test", 4)
    assert asked_for == [32]
    assert tree == cleandoc("""
        0  question     N 4  Q +0.425
        1  ├─ a         N 3  Q +0.600  r +0.200
        5  │  ├─ c                     r +0.100
        6  │  ├─ =7     N 2  Q +0.800  r +0.800  *
        7  │  └─ =8     N 1  Q +0.600  r +0.600
        2  └─ b         N 1  Q -0.050  r +0.400
        3     └─ d      N 1  Q -0.100  r +0.300
        4        └─ =9  N 1  Q -0.500  r -0.500
    """)


async def test_released_code_at_test_time_ends_without_open_steps() -> None:
    """1: b 0.4 → d 0.3, whose =9 gives -0.5: b has (0.4 - 0.5) / 2. 2: a 0.2 → its only child =7: (0.2 + 0.8) / 2.

    3: a is closed → b, where d is closed: closed. 4: nothing is left.
    """
    tree, asked_for = await grown("released_test", 12)
    assert asked_for == [32]
    assert tree == cleandoc("""
        0  question     N 2  Q +0.150
        1  ├─ a         N 1  Q +0.500  r +0.200
        7  │  └─ =7     N 1  Q +0.800  r +0.800             *
        2  ├─ b         N 1  Q -0.050  r +0.400
        4  │  ├─ d      N 1  Q -0.100  r +0.300
        6  │  │  └─ =9  N 1  Q -0.500  r -0.500
        5  │  └─ !      N 1  Q -1.000            no_answer
        3  └─ !         N 1  Q -1.000            no_answer
    """)
