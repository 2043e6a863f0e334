"""Diverse verifier tree search by hand: a golden tree, the subtrees, and where they stop."""

from __future__ import annotations

from inspect import cleandoc

import pytest

from search.data import Aggregation
from search.strategies.registry import search_config
from search.strategies.tree.beam import Beam, StepBeam
from search.strategies.tree.dvts import Dvts, deal
from tests.fakes.drawing import draw
from tests.fakes.scripts import word_policy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM, Words, word
from tests.search.strategies.tree.test_beam import REWARDS, TABLE, tree_of
from tests.search.tree_checks import check_sums, expanded, shape


def test_first_steps_are_dealt_to_subtrees_in_turn() -> None:
    tree = tree_of(("a", 0.1, 1), ("b", 0.2, 1), ("c", 0.3, 1), ("d", 0.4, 1))
    assert deal(tree, [1, 2, 3, 4], 2, Aggregation.LAST) == [Beam((3,), 1), Beam((4,), 1)]
    assert deal(tree, [1, 2], 3, Aggregation.LAST) == [Beam((1,), 1), Beam((2,), 1), Beam((), 1)]


FOREST: dict[Words, list[str]] = {
    (): ["a", "b", "c", "d"],  # two subtrees of two: (a, c) and (b, d)
    ("c",): ["=1", "x"],
    ("b",): ["y", "=2"],
    ("b", "y"): ["=3", "=3"],
}
VALUES = {"a": 0.1, "b": 0.9, "c": 0.3, "d": 0.8, "=1": 0.2, "x": 0.1, "y": 0.6, "=2": 0.5, "=3": 0.4}


async def test_golden_tree() -> None:
    """The four first steps are dealt out to two subtrees: (a, c) and (b, d). In each the best one goes on: c and b. d (0.8)
    is better than c (0.3), but of the same subtree as b (0.9): it is not kept. Below b, y is better than the finished =2.
    All ends of both subtrees count for the answer: the best is =2.
    """
    config = search_config(strategy="dvts", rollouts=2, candidates=2)
    tree = await Dvts(config).search(PROBLEM.without_answer(), word_services(word_policy(FOREST), VALUES), 1)
    assert draw(tree) == cleandoc("""
        0  question        N 3  Q +0.367
        1  ├─ a                           r +0.100
        2  ├─ b            N 2  Q +0.600  r +0.900
        7  │  ├─ y         N 1  Q +0.500  r +0.600
        9  │  │  └─ =3 x2  N 1  Q +0.400  r +0.400
        8  │  └─ =2        N 1  Q +0.500  r +0.500  *
        3  ├─ c            N 1  Q +0.250  r +0.300
        5  │  ├─ =1        N 1  Q +0.200  r +0.200
        6  │  └─ x                        r +0.100
        4  └─ d                           r +0.800
    """)
    assert expanded(tree) == ["", "b", "c", "y"]
    assert [word(tree.nodes[i].step) for i in tree.terminals()] == ["=1", "=2", "=3"]
    assert (tree.strategy, tree.answer) == ("dvts", "2")
    weighted = config.model_copy(update={"answer_rule": "weighted"})
    tree = await Dvts(weighted).search(PROBLEM.without_answer(), word_services(word_policy(FOREST), VALUES), 1)
    assert tree.answer == "3"  # 2 * 0.7 of the one drawn twice, against 0.6 and 0.75
    check_sums(tree)


@pytest.mark.parametrize(
    ("budget", "nodes", "tokens"), [(40, [""], 40), (41, ["", "b", "c"], 80), (81, ["", "b", "c", "y"], 100)]
)
async def test_dvts_ends_when_the_budget_is_exhausted(budget: int, nodes: list[str], tokens: int) -> None:
    policy = word_policy(FOREST)
    config = search_config(strategy="dvts", rollouts=2, candidates=2, budget_tokens=budget)
    tree = await Dvts(config).search(PROBLEM.without_answer(), word_services(policy, VALUES), 1)
    assert expanded(tree) == nodes
    assert len(policy.requests) == len(nodes)
    assert tree.cost.generated_tokens == tokens


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
