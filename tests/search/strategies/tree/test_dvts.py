"""Diverse verifier tree search by hand: a golden tree, steps that subtrees share, where they stop, and the presets."""

from __future__ import annotations

from inspect import cleandoc

import pytest

from search.strategies.registry import search_config
from search.strategies.tree.beam import Beam, StepBeam
from search.strategies.tree.dvts import Dvts, DvtsConfig, best_step
from search.tree import ROOT, Tree
from tests.fakes.drawing import draw
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.scripts import HashedText, word_policy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM, Words, word
from tests.search.strategies.tree.test_beam import REWARDS, TABLE, tree_of
from tests.search.tree_checks import check_sums, expanded, shape


def test_subtree_goes_on_from_the_best_step_that_it_drew() -> None:
    tree = tree_of(("a", 0.1, 5), ("b", 0.2, 1), ("c", 0.2, 3), ("=7", 0.3, 1))
    assert best_step(tree, {1: 5, 2: 1}, DvtsConfig()) == Beam((2,))
    assert best_step(tree, {1: 1, 2: 1, 3: 2}, DvtsConfig()) == Beam((3,))
    assert best_step(tree, {2: 1, 3: 1}, DvtsConfig()) == Beam((2,))
    assert best_step(tree, {2: 1, 4: 1}, DvtsConfig()) == Beam(())
    assert best_step(tree, {}, DvtsConfig()) == Beam(())


FOREST: dict[Words, list[str]] = {
    (): ["a", "b", "b", "c"],  # two subtrees of two
    ("b",): ["=1", "x", "y", "=2"],  # each draws two of its own
    ("b", "y"): ["=3", "=3"],
}
VALUES = {"a": 0.1, "b": 0.9, "c": 0.3, "=1": 0.2, "x": 0.1, "y": 0.6, "=2": 0.5, "=3": 0.4}


async def test_golden_tree() -> None:
    """The first subtree draws a and b, the second b and c: b is best in both and is one node, drawn twice. Below it the first
    draws =1 and x and ends with =1; the second draws y and =2 and goes on with y, though =2 is finished. All ends of both
    count for the answer: the best is =2.
    """
    config = search_config(strategy="dvts", rollouts=2, candidates=2)
    policy = word_policy(FOREST)
    tree = await Dvts(config).search(PROBLEM.without_answer(), word_services(policy, VALUES), 1)
    assert draw(tree) == cleandoc("""
        0  question        N 3  Q +0.367
        1  ├─ a                           r +0.100
        2  ├─ b x2         N 3  Q +0.500  r +0.900
        4  │  ├─ =1        N 1  Q +0.200  r +0.200
        5  │  ├─ x                        r +0.100
        6  │  ├─ y         N 1  Q +0.500  r +0.600
        8  │  │  └─ =3 x2  N 1  Q +0.400  r +0.400
        7  │  └─ =2        N 1  Q +0.500  r +0.500  *
        3  └─ c                           r +0.300
    """)
    assert [tree.nodes[i].draws for i in (ROOT, 2, 6)] == [2, 2, 1]
    assert len({request.seed for request in policy.requests}) == 5
    assert [word(tree.nodes[i].step) for i in tree.terminals()] == ["=1", "=2", "=3"]
    assert (tree.strategy, tree.answer) == ("dvts", "2")
    weighted = config.model_copy(update={"answer_rule": "weighted"})
    tree = await Dvts(weighted).search(PROBLEM.without_answer(), word_services(word_policy(FOREST), VALUES), 1)
    assert tree.answer == "3"  # 2 * 0.7 of the one drawn twice, against 0.6 and 0.75
    check_sums(tree)


@pytest.mark.parametrize(
    ("budget", "nodes", "tokens"), [(40, [""], 40), (41, ["", "b"], 80), (81, ["", "b", "y"], 100)]
)
async def test_dvts_ends_when_the_budget_is_exhausted(budget: int, nodes: list[str], tokens: int) -> None:
    policy = word_policy(FOREST)
    config = search_config(strategy="dvts", rollouts=2, candidates=2, budget_tokens=budget)
    tree = await Dvts(config).search(PROBLEM.without_answer(), word_services(policy, VALUES), 1)
    assert expanded(tree) == nodes
    assert tree.cost.generated_tokens == tokens


async def test_four_subtrees_cost_four_times_one() -> None:
    """Whatever they draw: here all of them always draw the same step."""
    table = {(): ["a"] * 12, ("a",): ["b"] * 12, ("a", "b"): ["=7"] * 12}
    trees = {}
    for subtrees in (1, 4):
        config = search_config(strategy="dvts", rollouts=subtrees, candidates=3)
        services = word_services(word_policy(table), {"a": 0.1, "b": 0.1, "=7": 0.1})
        trees[subtrees] = await Dvts(config).search(PROBLEM.without_answer(), services, 1)
    assert [trees[n].cost.generated_tokens for n in (1, 4)] == [90, 360]
    assert [node.multiplicity for node in trees[4].nodes] == [1, 12, 12, 12]
    assert trees[4].cost.scored_states == trees[1].cost.scored_states == 3  # equal steps are scored once


async def test_first_subtrees_of_many_are_those_of_few() -> None:
    asked = []
    for subtrees in (3, 6):
        policy = ScriptedPolicy(HashedText(code=False))
        config = search_config(strategy="dvts", rollouts=subtrees, candidates=2, max_depth=6)
        await Dvts(config).search(PROBLEM.without_answer(), word_services(policy, {}), 1)
        asked.append({(request.words, request.seed) for request in policy.requests})
    assert asked[0] < asked[1]


async def test_single_subtree_is_a_beam_of_width_one() -> None:
    trees = [
        await strategy.search(PROBLEM.without_answer(), word_services(word_policy(TABLE), REWARDS), 1)
        for strategy in (
            Dvts(search_config(strategy="dvts", rollouts=1, candidates=3)),
            StepBeam(search_config(strategy="beam", beam_width=1, candidates=3)),
        )
    ]
    assert expanded(trees[0]) == ["", "a"]
    assert shape(trees[0]) == shape(trees[1])


PRESET_TABLE: dict[Words, list[str]] = {
    (): ["a", "b", "a", "=1", "a", "c", "c", "!"],
    ("a",): ["=7", "x", "x", "=7", "y", "=7", "!", "=5"],
    ("a", "y"): ["=9", "=9", "=7", "!"],
}
PRESET_VALUES = {"a": 0.9, "b": 0.1, "c": 0.3, "=1": 0.2, "x": 0.3, "=7": 0.5, "y": 0.6, "=5": 0.1, "=9": 0.7}


async def walk(**options: int | str) -> tuple[Tree, list[tuple[Words, int]]]:
    policy = word_policy(PRESET_TABLE)
    config = search_config(**options)
    tree = await Dvts(config).search(PROBLEM.without_answer(), word_services(policy, PRESET_VALUES), 1)
    return tree, [(request.words, request.n) for request in policy.requests]


async def test_released_preset_walks_as_the_released_code() -> None:
    """n 4 and beam_width 4 are one subtree: a, then the finished =7. Its last four are the results, of which =7 scores most;
    here =1, which lost to a, is a result too."""
    tree, requests = await walk(preset="dvts_released")
    assert requests == [((), 4), (("a",), 4)]
    assert tree.answer == "7"
    assert [(tree.nodes[i].answer, tree.nodes[i].multiplicity) for i in tree.terminals()] == [("1", 1), ("7", 2)]


async def test_paper_preset_walks_as_the_blog_post() -> None:
    """Two of its subtrees. Both go to a. The first ends with =7; the second draws y, which is better than =7, and ends with
    =9. =7 was drawn three times below a and once below y: 4 * 0.75 against 2 * 0.85 for =9.
    """
    tree, requests = await walk(preset="dvts_paper", rollouts=2)
    assert requests == [((), 4), ((), 4), (("a",), 4), (("a",), 4), (("a", "y"), 4)]
    ends = [(word(tree.nodes[i].step), tree.nodes[i].multiplicity) for i in tree.terminals()]
    assert ends == [("=1", 1), ("=7", 3), ("=5", 1), ("=9", 2), ("=7", 1)]
    assert tree.answer == "7"
