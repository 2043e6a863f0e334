"""Our arms hold the posteriors of the library treequest after the same scores, and choose as often as it does to draw.

The file treequest_cases.json is the library's (make_treequest_cases.py); the library itself is not needed here.
"""

from __future__ import annotations

import importlib.util
import json
import math
import random
from collections import Counter
from dataclasses import astuple
from typing import Any

import pytest

from search.data import Step, StepStatus
from search.strategies.registry import search_config
from search.strategies.tree.ab_mcts.arms import TreeArms
from search.strategies.tree.ab_mcts.config import AbMctsConfig
from search.strategies.tree.ab_mcts.rollout import Path, Search, update
from search.tree import ROOT, Tree
from tests.fakes.scripts import word_policy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM
from tests.search.strategies.tree.ab_mcts.make_treequest_cases import CASES, make_cases

STORED: dict[str, Any] = json.loads(CASES.read_text(encoding="utf-8"))
TOLERANCE = 1e-9


def grow(case: dict[str, Any]) -> tuple[Search, Tree]:
    """Return a tree after the case's draws, each of which ended at its one step, and its arms."""
    config = search_config(strategy="ab_mcts", draw_until="score", candidates=1, **case["options"])
    assert isinstance(config, AbMctsConfig)
    arms = TreeArms(prior=config.prior(), policies=tuple(case["policies"]), policy_choice=config.policy_choice)
    tree = Tree(PROBLEM)
    search = Search(tree=tree, config=config, services=word_services(word_policy({})), policies={}, arms=arms)
    for parent, policy, score in case["draws"]:
        child = add_scored(tree, parent, policy, score)
        path = tree.path(parent)
        entered = list(zip([ROOT, *path], path, strict=False))
        update(search, Path(index=child, entered=entered, drawn=[(parent, child)], new=[child], policy=policy))
    return search, tree


def add_scored(tree: Tree, parent: int, policy: str, score: float) -> int:
    """Add a node of that score: an open step that a reward model scored, or a graded answer."""
    if 0 < score < 1:
        return tree.add(parent, Step("step"), logit=math.atanh(2 * score - 1), action=policy)
    step = Step("end", status=StepStatus.FINAL, answer="7")
    return tree.add(parent, step, correct=bool(score), action=policy)


@pytest.mark.parametrize("case", STORED["cases"], ids=lambda case: case["name"])
def test_posteriors_are_those_of_treequest(case: dict[str, Any]) -> None:
    arms = grow(case)[0].arms
    assert sorted(arms.nodes) == sorted(map(int, case["nodes"]))
    for index, expected in case["nodes"].items():
        node = arms.at(int(index))
        ours = {
            "groups": {name: {"gen": group.gen, "cont": group.cont} for name, group in node.groups.items()},
            "policies": node.policies,
            "children": {str(child): posterior for child, posterior in node.children.items()},
        }
        assert values(ours) == pytest.approx(values(expected), abs=TOLERANCE)


def values(tree: Any, at: str = "") -> dict[str, float]:
    """Return all numbers of nested mappings and posteriors, by their places."""
    if isinstance(tree, dict):
        return {place: value for key in tree for place, value in values(tree[key], f"{at}/{key}").items()}
    numbers = tree if isinstance(tree, list) else astuple(tree)
    return {f"{at}/{place}": value for place, value in enumerate(numbers)}


@pytest.mark.parametrize("case", STORED["cases"], ids=lambda case: case["name"])
def test_root_draws_as_often_as_in_treequest(case: dict[str, Any]) -> None:
    search, tree = grow(case)
    children = {child: tree.nodes[child].action for child in tree.nodes[ROOT].children}
    rng, choices = random.Random(1), STORED["choices"] // 4
    chosen = Counter(search.arms.choose(ROOT, children, rng) for _ in range(choices))
    shares = {policy: chosen[policy] / choices for policy in case["policies"]}
    assert shares == pytest.approx(case["gen_shares"], abs=0.03)  # five standard deviations of a share of 5,000 choices


@pytest.mark.skipif(importlib.util.find_spec("treequest") is None, reason="the library treequest is not installed")
def test_stored_cases_are_those_of_the_installed_library() -> None:
    assert json.loads(json.dumps(make_cases())) == STORED
