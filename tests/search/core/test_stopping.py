"""When a tree is finished: ``stop_at_score`` here, budgets with the strategies that spend them."""

from __future__ import annotations

import pytest

from search.strategies.registry import search_config
from search.strategies.tree.mcts import Mcts
from tests.fakes.scripts import word_policy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM
from tests.search.tree_checks import expanded

TABLE = {(): ["a", "=8"], ("a",): ["=7"]}
REWARDS = {"=8": -0.5, "a": 0.9, "=7": 0.8}


@pytest.mark.parametrize(
    ("threshold", "rollouts"),
    [
        (None, 6),
        (0.7, 1),
        (0.85, 6),  # the step "a" scores higher, but is no solution
    ],
)
async def test_search_stops_when_a_score_reaches_the_threshold(threshold: float | None, rollouts: int) -> None:
    config = search_config(rollouts=6, candidates=2, stop_at_score=threshold)
    tree = await Mcts(config).search(PROBLEM.without_answer(), word_services(word_policy(TABLE), REWARDS), 1)
    assert tree.nodes[0].visits == rollouts
    assert expanded(tree) == ["", "a"]
    assert tree.answer == "7"


async def test_search_goes_on_when_the_solution_is_graded() -> None:
    """Graded trees are for training; they stop by the numbers of correct and incorrect solutions."""
    config = search_config(rollouts=6, candidates=2, stop_at_score=0.1)
    tree = await Mcts(config).search(PROBLEM, word_services(word_policy(TABLE), REWARDS, graded=True), 1)
    assert (tree.is_solved, tree.nodes[0].visits) == (True, 6)
