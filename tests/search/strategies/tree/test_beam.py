"""Beam search and DVTS by hand: which nodes are kept, where they stop, what they answer."""

from __future__ import annotations

import pytest

from search.data import Aggregation, Step, StepStatus
from search.strategies.registry import search_config
from search.strategies.tree.beam import Beam, StepBeam, keep
from search.strategies.tree.dvts import Dvts, deal
from search.tree import ROOT, Tree
from tests.fakes.scripts import word_policy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM, Words, word
from tests.search.tree_checks import check_sums, expanded, shape


def tree_of(*children: tuple[str, float | None, int]) -> Tree:
    """Children of the root: word, reward, how often drawn."""
    tree = Tree(PROBLEM)
    for name, score, many in children:
        final = StepStatus.FINAL if name.startswith("=") else StepStatus.OPEN
        tree.add(ROOT, Step(name, status=final, answer=name[1:] if final else None), score=score, multiplicity=many)
    return tree


def test_a_finished_solution_keeps_its_place() -> None:
    tree = tree_of(("a", 0.1, 1), ("=7", 0.9, 1), ("b", 0.5, 1))
    assert keep(tree, Beam(places=2), [1, 2, 3], Aggregation.LAST) == Beam((3,), 1)
    assert keep(tree, Beam(places=3), [1, 2, 3], Aggregation.LAST) == Beam((3, 1), 2)
    assert keep(tree, Beam(places=1), [1, 2, 3], Aggregation.LAST) == Beam((), 0)


def test_places_that_are_not_taken_stay() -> None:
    assert keep(tree_of(("a", 0.1, 1)), Beam(places=4), [1], Aggregation.LAST) == Beam((1,), 4)
    assert keep(tree_of(), Beam(places=4), [], Aggregation.LAST) == Beam((), 4)


def test_without_rewards_the_step_drawn_most_often_is_kept() -> None:
    tree = tree_of(("a", None, 1), ("b", None, 2), ("c", None, 1))
    assert keep(tree, Beam(places=2), [1, 2, 3], Aggregation.LAST).open == (2, 1)


def test_first_steps_are_dealt_out_in_turn() -> None:
    tree = tree_of(("a", 0.1, 1), ("b", 0.2, 1), ("c", 0.3, 1), ("d", 0.4, 1))
    assert deal(tree, [1, 2, 3, 4], 2, Aggregation.LAST) == [Beam((3,), 1), Beam((4,), 1)]
    assert deal(tree, [1, 2], 3, Aggregation.LAST) == [Beam((1,), 1), Beam((2,), 1), Beam((), 1)]


TABLE: dict[Words, list[str]] = {
    (): ["a", "b", "c"],
    ("a",): ["d", "=7", "e"],
    ("c",): ["f", "f", "g"],
    ("c", "f"): ["=8", "h", "=9"],
    ("c", "f", "h"): ["=10", "!", "=10"],
}
REWARDS = {
    "a": 0.5, "b": 0.1, "c": 0.3,  # a and c are kept
    "d": 0.2, "=7": 0.9, "e": -0.5, "f": 0.6, "g": 0.0,  # =7 is finished and keeps its place, f goes on
    "=8": 0.1, "h": 0.4, "=9": -0.2,  # one place left: h; =8 and =9 only count for the answer
    "=10": 0.7,
}  # fmt: skip


async def test_beam_by_hand() -> None:
    policy = word_policy(TABLE)
    config = search_config(strategy="beam", beam_width=2, candidates=3)
    tree = await StepBeam(config).search(PROBLEM.without_answer(), word_services(policy, REWARDS), 1)
    assert expanded(tree) == ["", "a", "c", "f", "h"]
    assert (tree.strategy, tree.answer) == ("beam", "7")
    assert [tree.nodes[i].answer for i in tree.terminals()] == ["7", "8", "9", "10"]
    assert tree.cost.generated_tokens == 5 * 30
    check_sums(tree)
    assert tree.nodes[ROOT].visits == 4  # every finished solution once
    assert tree.nodes[ROOT].value_sum == pytest.approx(0.9 + 0.1 - 0.2 + 0.7)


async def test_beam_ranks_by_the_aggregation() -> None:
    """By the last reward g (0.99) and f (0.6) are kept; by the least d, min(0.5, 0.31), then f, min(0.3, 0.6), which was
    drawn twice and g, min(0.3, 0.99), once."""
    table = {**TABLE, ("a", "d"): ["=1"], ("c", "f"): ["=8"]}
    rewards = {**REWARDS, "=7": -0.9, "g": 0.99, "d": 0.31}
    config = search_config(strategy="beam", beam_width=2, candidates=3)
    for how, kept in ((Aggregation.LAST, ["g", "f"]), (Aggregation.MIN, ["d", "f"])):
        policy = word_policy({**table, ("c", "g"): ["=2"]})
        chosen = config.model_copy(update={"step_aggregation": how})
        tree = await StepBeam(chosen).search(PROBLEM.without_answer(), word_services(policy, rewards), 1)
        assert sorted(expanded(tree)) == sorted(["", "a", "c", *kept])


@pytest.mark.parametrize(
    ("budget", "nodes", "tokens"),
    [
        (1, [""], 30),
        (30, [""], 30),
        (31, ["", "a", "c"], 90),
        (90, ["", "a", "c"], 90),
        (91, ["", "a", "c", "f"], 120),
        (1000, ["", "a", "c", "f", "h"], 150),
    ],
)
async def test_beam_expands_nothing_once_its_budget_is_spent(budget: int, nodes: list[str], tokens: int) -> None:
    policy = word_policy(TABLE)
    config = search_config(strategy="beam", beam_width=2, candidates=3, budget_tokens=budget)
    tree = await StepBeam(config).search(PROBLEM.without_answer(), word_services(policy, REWARDS), 1)
    assert expanded(tree) == nodes
    assert len(policy.requests) == len(nodes)
    assert tree.cost.generated_tokens == tokens
    assert tree.answer == ("7" if tokens > 30 else None)
    check_sums(tree)


async def test_a_graded_beam_keeps_right_answers_and_stops_when_it_has_enough() -> None:
    """Without a reward model open steps stand at 0, between right (+1) and wrong (-1)."""
    table = {(): ["=8", "a", "=7"], ("a",): ["=9", "b"], ("a", "b"): ["=7"]}
    config = search_config(strategy="beam", beam_width=2, candidates=3)
    tree = await StepBeam(config).search(PROBLEM, word_services(word_policy(table), graded=True), 1)
    assert expanded(tree) == ["", "a", "b"]
    assert (tree.answer, tree.is_solved) == ("7", True)
    enough = config.model_copy(update={"stop_after_correct": 1})
    tree = await StepBeam(enough).search(PROBLEM, word_services(word_policy(table), graded=True), 1)
    assert expanded(tree) == [""]


async def test_a_beam_ends_at_the_depth_limit_and_where_everything_failed() -> None:
    table = {(): ["a", "b"], ("a",): ["c"], ("b",): ["!"]}
    config = search_config(strategy="beam", beam_width=2, candidates=2, max_depth=2)
    tree = await StepBeam(config).search(PROBLEM, word_services(word_policy(table)), 1)
    assert tree.answer is None
    assert tree.failures == {"too_deep": 1, "no_answer": 1}
    assert [(n[1], n[2], n[3]) for n in shape(tree)] == [
        ("", 2, -2.0),
        ("a", 1, -1.0),
        ("b", 1, -1.0),
        ("c", 1, -1.0),
        ("!", 1, -1.0),
    ]


FOREST: dict[Words, list[str]] = {
    (): ["a", "b", "c", "d"],  # two subtrees of two: (a, c) and (b, d)
    ("c",): ["=1", "x"],
    ("b",): ["y", "=2"],
    ("b", "y"): ["=3", "=3"],
}
VALUES = {"a": 0.1, "b": 0.9, "c": 0.3, "d": 0.8, "=1": 0.2, "x": 0.1, "y": 0.6, "=2": 0.5, "=3": 0.4}


async def test_dvts_by_hand() -> None:
    """d (0.8) is better than c (0.3) but of the same subtree as b: it is not kept. =2 is finished, y is better."""
    config = search_config(strategy="dvts", rollouts=2, candidates=2)
    tree = await Dvts(config).search(PROBLEM.without_answer(), word_services(word_policy(FOREST), VALUES), 1)
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
async def test_dvts_expands_nothing_once_its_budget_is_spent(budget: int, nodes: list[str], tokens: int) -> None:
    policy = word_policy(FOREST)
    config = search_config(strategy="dvts", rollouts=2, candidates=2, budget_tokens=budget)
    tree = await Dvts(config).search(PROBLEM.without_answer(), word_services(policy, VALUES), 1)
    assert expanded(tree) == nodes
    assert len(policy.requests) == len(nodes)
    assert tree.cost.generated_tokens == tokens


async def test_one_subtree_is_a_beam_of_width_one() -> None:
    trees = [
        await strategy.search(PROBLEM.without_answer(), word_services(word_policy(TABLE), REWARDS), 1)
        for strategy in (
            Dvts(search_config(strategy="dvts", rollouts=1, candidates=3)),
            StepBeam(search_config(strategy="beam", beam_width=1, candidates=3)),
        )
    ]
    assert expanded(trees[0]) == ["", "a"]
    assert shape(trees[0]) == shape(trees[1])
