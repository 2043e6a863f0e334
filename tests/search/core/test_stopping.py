"""When a tree is done: budgets are tested with the strategies that spend them, a solution that is good enough here."""

from __future__ import annotations

import pytest

from search.config import SearchConfig
from search.strategies.tree.mcts import Mcts
from tests.search.words import PROBLEM, WordPolicy, expanded, word_tools

TABLE = {(): ["a", "=8"], ("a",): ["=7"]}
REWARDS = {"=8": -0.5, "a": 0.9, "=7": 0.8}


@pytest.mark.parametrize(
    ("least", "rollouts"),
    [
        (None, 6),
        (0.7, 1),
        (0.85, 6),  # the step "a" scores higher than that, but is no solution
    ],
)
async def test_a_search_stops_at_a_solution_that_is_good_enough(least: float | None, rollouts: int) -> None:
    config = SearchConfig(rollouts=6, candidates=2, enough_score=least)
    tree = await Mcts(config).search(PROBLEM.blind(), word_tools(WordPolicy(TABLE), REWARDS), 1)
    assert tree.nodes[0].visits == rollouts
    assert expanded(tree) == ["", "a"]
    assert tree.answer == "7"


async def test_grades_are_no_scores() -> None:
    """A search that sees grades counts right and wrong ones instead: its trees are there to be learnt from."""
    config = SearchConfig(rollouts=6, candidates=2, enough_score=0.1)
    tree = await Mcts(config).search(PROBLEM, word_tools(WordPolicy(TABLE), REWARDS, graded=True), 1)
    assert (tree.solved, tree.nodes[0].visits) == (True, 6)
