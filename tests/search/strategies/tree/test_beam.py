"""Beam search by hand: a golden tree, the nodes that are kept, where a beam stops, its answer, and the presets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from inspect import cleandoc
from typing import Any

import pytest

from search.data import Aggregation, Step, StepStatus
from search.strategies.registry import search_config
from search.strategies.tree.beam import Beam, BeamConfig, StepBeam, deal, keep
from search.strategies.tree.draws import Draw
from search.tree import ROOT, Tree
from tests.fakes.drawing import draw
from tests.fakes.scripts import word_policy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM, Words
from tests.search.tree_checks import check_sums, expanded, shape


def tree_of(*children: tuple[str, float | None, int]) -> Tree:
    """Children of the root: word, reward, how often drawn."""
    tree = Tree(PROBLEM)
    for name, score, multiplicity in children:
        final = StepStatus.FINAL if name.startswith("=") else StepStatus.OPEN
        logit = None if score is None else math.atanh(score)
        step = Step(name, status=final, answer=name[1:] if final else None)
        tree.add(ROOT, step, logit=logit, multiplicity=multiplicity)
    return tree


def kept(tree: Tree, places: int, **options: Any) -> Beam:
    """The beam with so many places that is kept of all children of the root."""
    drawn = {child: tree.nodes[child].multiplicity for child in tree.nodes[ROOT].children}
    config = BeamConfig(**options)
    return keep(
        tree,
        Beam(places=places),
        drawn,
        config.aggregation,
        filter_duplicates=config.filter_duplicates,
        finished_keep_places=config.finished_keep_places,
    )


def test_finished_solution_keeps_its_place() -> None:
    tree = tree_of(("a", 0.1, 1), ("=7", 0.9, 1), ("b", 0.5, 1))
    assert kept(tree, 2) == Beam((3,), 1)
    assert kept(tree, 3) == Beam((3, 1), 2)
    assert kept(tree, 1) == Beam((), 0)


def test_finished_solution_makes_room_when_so_configured() -> None:
    tree = tree_of(("a", 0.1, 1), ("=7", 0.9, 1), ("b", 0.5, 1))
    assert kept(tree, 2, finished_keep_places=False) == Beam((3, 1), 2)
    assert kept(tree, 1, finished_keep_places=False) == Beam((3,), 1)


def test_step_drawn_twice_takes_two_places_unless_filtered() -> None:
    tree = tree_of(("a", 0.1, 1), ("=7", 0.9, 2), ("b", 0.5, 3))
    assert kept(tree, 4) == Beam((3, 3, 3), 3)  # the finished one keeps a single place
    assert kept(tree, 3) == Beam((3, 3), 2)
    assert kept(tree, 4, finished_keep_places=False) == Beam((3, 3, 3, 1), 4)
    assert kept(tree, 4, filter_duplicates=True) == Beam((3, 1), 3)
    assert kept(tree, 2, filter_duplicates=True, finished_keep_places=False) == Beam((3, 1), 2)


def test_draws_are_dealt_to_open_nodes_in_turn() -> None:
    assert deal(Beam(places=4), 3) == [Draw(ROOT, 12)]
    assert deal(Beam((5, 7, 5), 4), 3) == [Draw(5, 8), Draw(7, 4)]
    assert deal(Beam((5, 7, 9), 4), 4) == [Draw(5, 6), Draw(7, 5), Draw(9, 5)]
    assert deal(Beam((), 2), 3) == []


def test_step_drawn_most_often_is_kept_without_rewards() -> None:
    tree = tree_of(("a", None, 1), ("b", None, 2), ("c", None, 1))
    assert kept(tree, 2, filter_duplicates=True).open == (2, 1)
    assert kept(tree, 2).open == (2, 2)


TABLE: dict[Words, list[str]] = {
    (): ["a", "b", "c", "b", "b", "b"],
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


async def test_golden_tree() -> None:
    """Two places draw six steps at the root. Of each depth's new steps the two best by reward go on: a and c, then f, of
    whose two copies one finds a place: the finished =7 keeps the other. So there is one left below f: h. =8 and =9 are not
    kept, but count for the answer: the best end of all, =7. Every end is backed up once, so that Q is defined.
    """
    policy = word_policy(TABLE)
    config = search_config(strategy="beam", beam_width=2, candidates=3)
    tree = await StepBeam(config).search(PROBLEM.without_answer(), word_services(policy, REWARDS), 1)
    assert draw(tree) == cleandoc("""
        0   question            N 4  Q +0.375
        1   ├─ a                N 1  Q +0.700  r +0.500
        4   │  ├─ d                            r +0.200
        5   │  ├─ =7            N 1  Q +0.900  r +0.900             *
        6   │  └─ e                            r -0.500
        2   ├─ b x4                            r +0.100
        3   └─ c                N 3  Q +0.225  r +0.300
        7      ├─ f x2          N 3  Q +0.300  r +0.600
        9      │  ├─ =8         N 1  Q +0.100  r +0.100
        10     │  ├─ h          N 1  Q +0.550  r +0.400
        12     │  │  ├─ =10 x2  N 1  Q +0.700  r +0.700
        13     │  │  └─ !       N 1  Q -1.000            no_answer
        11     │  └─ =9         N 1  Q -0.200  r -0.200
        8      └─ g                            r +0.000
    """)
    assert expanded(tree) == ["", "a", "c", "f", "h"]
    assert [request.n for request in policy.requests] == [6, 3, 3, 3, 3]
    assert (tree.strategy, tree.answer) == ("beam", "7")
    assert [tree.nodes[i].answer for i in tree.terminals()] == ["7", "8", "9", "10"]
    assert tree.cost.generated_tokens == 60 + 4 * 30
    check_sums(tree)
    assert tree.nodes[ROOT].visits == 4  # every finished solution once
    assert tree.nodes[ROOT].value_sum == pytest.approx(0.9 + 0.1 - 0.2 + 0.7)


async def test_beam_ranks_by_the_aggregation() -> None:
    """By the last reward g (0.99) and f (0.6) are kept; by the least d, min(0.5, 0.31), then f, min(0.3, 0.6), which was
    drawn twice and g, min(0.3, 0.99), once."""
    table = {**TABLE, ("a", "d"): ["=1"], ("c", "f"): ["=8"]}
    rewards = {**REWARDS, "=7": -0.9, "g": 0.99, "d": 0.31}
    config = search_config(strategy="beam", beam_width=2, candidates=3, filter_duplicates=True)
    for aggregation, names in ((Aggregation.LAST, ["g", "f"]), (Aggregation.MIN, ["d", "f"])):
        policy = word_policy({**table, ("c", "g"): ["=2"]})
        chosen = config.model_copy(update={"step_aggregation": aggregation})
        tree = await StepBeam(chosen).search(PROBLEM.without_answer(), word_services(policy, rewards), 1)
        assert sorted(expanded(tree)) == sorted(["", "a", "c", *names])


@pytest.mark.parametrize(
    ("budget", "nodes", "tokens"),
    [
        (1, [""], 60),
        (60, [""], 60),
        (61, ["", "a", "c"], 120),
        (120, ["", "a", "c"], 120),
        (121, ["", "a", "c", "f"], 150),
        (1000, ["", "a", "c", "f", "h"], 180),
    ],
)
async def test_beam_ends_when_the_budget_is_exhausted(budget: int, nodes: list[str], tokens: int) -> None:
    policy = word_policy(TABLE)
    config = search_config(strategy="beam", beam_width=2, candidates=3, budget_tokens=budget)
    tree = await StepBeam(config).search(PROBLEM.without_answer(), word_services(policy, REWARDS), 1)
    assert expanded(tree) == nodes
    assert len(policy.requests) == len(nodes)
    assert tree.cost.generated_tokens == tokens
    assert tree.answer == ("7" if tokens > 60 else None)
    check_sums(tree)


async def test_graded_beam_keeps_correct_answers_until_it_has_enough() -> None:
    """Without a reward model open steps stand at 0, between correct (+1) and incorrect (-1)."""
    table = {(): ["=8", "a", "=7"], ("a",): ["=9", "b"], ("a", "b"): ["=7"]}
    config = search_config(strategy="beam", beam_width=2, candidates=3)
    tree = await StepBeam(config).search(PROBLEM, word_services(word_policy(table), graded=True), 1)
    assert expanded(tree) == ["", "a", "b"]
    assert (tree.answer, tree.is_solved) == ("7", True)
    enough = config.model_copy(update={"stop_after_correct": 1})
    tree = await StepBeam(enough).search(PROBLEM, word_services(word_policy(table), graded=True), 1)
    assert expanded(tree) == [""]


async def test_beam_ends_at_the_depth_limit_or_when_all_failed() -> None:
    """At the limit prose is written to its end: what is open there has no answer."""
    table = {(): ["a", "b"], ("a",): ["c"], ("b",): ["!"]}
    config = search_config(strategy="beam", beam_width=2, candidates=2, max_depth=2)
    tree = await StepBeam(config).search(PROBLEM.without_answer(), word_services(word_policy(table)), 1)
    assert tree.answer is None
    assert tree.failures == {"no_answer": 2}
    assert [(n[1], n[2], n[3]) for n in shape(tree)] == [
        ("", 2, -2.0),
        ("a", 1, -1.0),
        ("b", 1, -1.0),
        ("c", 1, -1.0),
        ("!", 1, -1.0),
    ]


# Four draws a depth. a is better than b; =7 is better than both and finished.
PRESET_TABLE: Mapping[Words, list[str]] = {
    (): ["a", "=7", "b", "a", "b", "b", "a", "b"],
    ("a",): ["=8", "c", "c", "=8"],
    ("a", "c"): ["=9", "=9", "=9", "=9"],
}
PRESET_REWARDS = {"a": 0.5, "=7": 0.9, "b": 0.2, "=8": 0.6, "c": 0.1, "=9": 0.3}


async def test_released_preset_walks_as_the_released_code() -> None:
    """n 4, of which one is kept. Iteration 1 draws a, =7, b, a: =7 is complete and leaves; of a and b, each once, a goes on
    and is repeated four times. Iteration 2 draws =8 twice, which leaves, and c, which goes on though it is worse.
    Iteration 3 completes all four. The answer is that of the highest score.
    """
    policy = word_policy(PRESET_TABLE)
    config = search_config(preset="beam_released")
    tree = await StepBeam(config).search(PROBLEM.without_answer(), word_services(policy, PRESET_REWARDS), 1)
    assert [(request.words, request.n) for request in policy.requests] == [((), 4), (("a",), 4), (("a", "c"), 4)]
    assert [(tree.nodes[i].answer, tree.nodes[i].multiplicity) for i in tree.terminals()] == [
        ("7", 1),
        ("8", 2),
        ("9", 4),
    ]
    assert tree.answer == "7"
    sampling = policy.requests[0].sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0.8, 1.0, 2048)


async def test_paper_preset_walks_as_the_paper() -> None:
    """N 8, M 4: of the eight first steps the two best go on: the finished =7, and one of the three a. That one draws M steps,
    of which the one place goes to the finished =8, so nothing is open. =8 was drawn twice: 2 * 0.8 against 0.95 for =7.
    """
    policy = word_policy(PRESET_TABLE)
    config = search_config(preset="beam_paper", beam_width=2)
    tree = await StepBeam(config).search(PROBLEM.without_answer(), word_services(policy, PRESET_REWARDS), 1)
    assert [(request.words, request.n) for request in policy.requests] == [((), 8), (("a",), 4)]
    assert [(tree.nodes[i].answer, tree.nodes[i].multiplicity) for i in tree.terminals()] == [("7", 1), ("8", 2)]
    assert tree.answer == "8"
