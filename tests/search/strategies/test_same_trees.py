"""One scripted search for each strategy, compared with a digest that was taken before the code was laid out anew.

A digest covers, of every node, parent, step text, visits, value sum, score and answer, and of the tree its answer, failures and
cost without seconds. A change of a strategy that is meant to change trees renews its digests in the same commit.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import pytest

from search.data import Problem
from search.formats.code_format import CodeFormat
from search.formats.plain_format import PlainFormat
from search.protocols import SearchServices
from search.strategies.registry import build, search_config
from search.tree import Tree
from tests.fakes.executor import ScriptedExecutor, print_argument
from tests.fakes.grader import TextGrader
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.reward_model import ScriptedRewardModel, hashed_logit
from tests.fakes.scripts import HashedText

PROBLEM = Problem(id="p1", question="What is 3 + 4?", answer="2", source="test")


NOT_DIGESTED = {"seconds", "reward_model_requests", "scored_states"}  # the last two came after the first digests


def neutral(tree: Tree) -> str:
    """A tree as text, without the names of its fields."""
    nodes = [
        [
            node.parent,
            node.step.text if node.step else None,
            node.visits,
            round(node.value_sum, 9),
            None if node.score is None else round(node.score, 9),
            node.answer,
        ]
        for node in tree.nodes
    ]
    spent = [value for name, value in sorted(dataclasses.asdict(tree.cost).items()) if name not in NOT_DIGESTED]
    return json.dumps([nodes, tree.answer, sorted(tree.failures.items()), spent], ensure_ascii=True)


CASES: list[tuple[str, dict[str, Any], bool, str]] = [
    ("mcts", {"rollouts": 8, "progressive_widening": 0.5, "parallel_rollouts": 3}, True, "GRADED"),
    ("mcts", {"rollouts": 8, "unvisited_value": "zero", "finish_first": True}, False, "SCORED"),
    ("mcts", {"preset": "released", "rollouts": 8, "candidates": 4}, False, "BOTH"),
    ("sampling", {"candidates": 6}, False, "SCORED"),
    ("best_of_n", {"candidates": 6, "budget_tokens": 300, "step_aggregation": "product"}, True, "SCORED"),
    ("beam", {"candidates": 3, "beam_width": 2, "answer_rule": "posterior"}, False, "SCORED"),
    ("dvts", {"candidates": 3, "rollouts": 3, "answer_rule": "weighted"}, True, "SCORED"),
    ("rstar", {"candidates": 2, "rollouts": 6, "instructions": True}, False, "BOTH"),
    ("rstar", {"candidates": 2, "rollouts": 6}, True, "BOTH"),
    ("sphere", {"candidates": 4, "instructions": True}, False, "BOTH"),
    ("math_shepherd", {"candidates": 3, "solutions": 3}, False, "BOTH"),
    ("first_error_search", {"candidates": 3, "solutions": 3}, True, "GRADED"),
    ("omega_prm", {"candidates": 3, "search_limit": 4}, False, "BOTH"),
    ("omega_prm", {"candidates": 4, "search_limit": 4}, True, "GRADED"),
    ("ab_mcts", {"rollouts": 8, "posterior": "beta"}, True, "GRADED"),
    ("ab_mcts", {"rollouts": 12, "policy_choice": "stack", "parallel_rollouts": 3}, False, "SCORED"),
    (
        "beam",
        {"candidates": 3, "beam_width": 2, "lookahead": 2, "filter_duplicates": True, "finished_keep_places": False},
        True,
        "SCORED",
    ),
    ("rebase", {"candidates": 6}, False, "SCORED"),
    ("rebase", {"candidates": 6}, True, "BOTH"),
]
DIGESTS = [
    "39465eea878b0480",
    "c82972b5033e072f",
    "712dfc19360fe5b4",
    "2e8601383798bd7b",
    "6129d2cc5ddde157",
    "770c0004e1f8689a",
    "222d103b2641c8b2",
    "f7f7bd476929c92a",
    "e6a2daaf75bf18f4",
    "a4adeae381c30539",
    "eaef21d03d710b9f",
    "1465e879adec8258",
    "65780b38513dd700",
    "78e1409aea5c9ace",
    "041b97315dfbb666",
    "5b747d3117147c61",
    "9ac6fe886b2fc999",
    "1c024c42735832d9",
    "94882803efea4f6a",
]


async def digest_of(strategy: str, options: dict[str, Any], code: bool, who: str) -> str:
    """The digest of three trees, grown from seeds 1, 2 and 3."""
    texts = []
    for seed in (1, 2, 3):
        services = SearchServices(
            policy=ScriptedPolicy(HashedText(code)),
            executor=ScriptedExecutor(print_argument),
            format=CodeFormat() if code else PlainFormat(),
            reward_model=ScriptedRewardModel(hashed_logit) if who != "GRADED" else None,
            grader=TextGrader() if who != "SCORED" else None,
            second_policy=ScriptedPolicy(HashedText(code, "second")),
            policies=(ScriptedPolicy(HashedText(code, "third")),),
        )
        config = search_config(strategy=strategy, max_depth=6, **options)
        texts.append(neutral(await build(config).search(PROBLEM, services, seed)))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


@pytest.mark.parametrize("number", range(len(CASES)))
async def test_same_seeds_give_the_same_trees_as_before(number: int) -> None:
    assert await digest_of(*CASES[number]) == DIGESTS[number]
