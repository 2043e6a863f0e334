"""SPHERE's three sorts of pairs, from trees built by hand and from one that the search grew."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from search.data import PreferencePair, Problem, Step, StepStatus
from search.strategies.registry import search_config
from search.strategies.tree.sphere import Branch, Sphere
from search.tree import ROOT, Tree
from tests.fakes.scripts import word_policy
from tests.fakes.services import word_services
from train.record_files import PAIRS
from train.rules.base import NoOptions, RuleInputs
from train.rules.sphere import harvest, tree_pairs

PROBLEM = Problem(id="p1", question="What is 3 + 4?", answer="7", source="made up")
G, MAX, MIN, D = Branch


def grown(*ends: tuple[Branch, str, float], graded: bool = True) -> Tree:
    """Solutions of one step: branch, answer, reward."""
    tree = Tree(PROBLEM, strategy="sphere")
    for branch, answer, reward in ends:
        tree.add(
            ROOT,
            Step(f"{branch.value} {answer}", status=StepStatus.FINAL, answer=answer),
            logit=math.atanh(reward),
            action=branch.value,
            correct=answer == "7" if graded else None,
        )
    return tree


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([(G, "7", 0.5), (G, "8", 0.1)], [(G, "generate 7", "generate 8")]),
        ([(G, "8", 0.5), (G, "7", 0.1)], []),  # the reward has it the wrong way round: it waits for a correction
        (
            [(G, "8", 0.5), (G, "7", 0.1), (MAX, "9", 0.6), (MAX, "7", 0.2)],
            [(MAX, "correct_max 7", "generate 8")],
        ),
        (
            [(G, "8", 0.5), (G, "9", 0.1), (MAX, "7", 0.6), (MAX, "6", 0.2), (MIN, "7", 0.0)],
            [(MAX, "correct_max 7", "generate 8"), (MIN, "correct_min 7", "generate 9")],
        ),
        ([(G, "8", 0.5), (MAX, "9", 0.6)], []),
        ([(G, "7", 0.5), (G, "7", 0.1), (D, "5", 0.4), (D, "6", 0.3)], [(D, "generate 7", "diversify 5")]),
        ([(G, "7", 0.5), (D, "7", 0.4), (D, "6", 0.3)], [(D, "generate 7", "diversify 6")]),
        ([(G, "7", 0.5), (D, "7", 0.4)], []),
    ],
)
def test_tree_pairs_by_hand(ends: list[tuple[Branch, str, float]], expected: list[tuple[Branch, str, str]]) -> None:
    pairs = [(branch, pair.chosen[0].text, pair.rejected[0].text) for branch, pair in tree_pairs(grown(*ends))]
    assert pairs == expected


def test_harvest_joins_and_counts_pairs_of_all_trees() -> None:
    trees = (
        grown((G, "7", 0.5), (G, "8", 0.1)),
        grown((G, "8", 0.5), (MAX, "7", 0.1)),
        grown((G, "7", 0.5), (D, "8", 0.1)),
        grown((G, "7", 0.5), (D, "7", 0.1)),
        grown((G, "7", 0.5), (G, "8", 0.1), graded=False),
        grown(),
    )
    result = harvest(RuleInputs(trees=trees), NoOptions())
    assert result.counts == {
        "trees": 6, "generated": 1, "corrected": 1, "diversified": 1, "unsolved": 2, "no_pair": 1, "pairs": 3,
    }  # fmt: skip
    pair = result.training_sets[PAIRS].records[0]
    assert isinstance(pair, PreferencePair)
    assert (pair.problem, pair.prefix, pair.chosen_q, pair.rejected_q) == (PROBLEM, (), 1.0, -1.0)


async def test_search_with_two_correct_gives_a_diversified_pair() -> None:
    """Both correct: the second policy's incorrect solution of two steps is what the correct one is set against."""
    policy = word_policy({(): ["=7", "a"], ("a",): ["=7"]})
    second = word_policy({(): ["b", "=7"], ("b",): ["=5"]})
    services = replace(word_services(policy, {"=7": 0.9, "b": 0.2, "=5": 0.1}, graded=True), second_policy=second)
    tree = await Sphere(search_config(strategy="sphere", candidates=2)).search(PROBLEM, services, 1)
    ((branch, pair),) = tree_pairs(tree)
    assert branch is D
    assert [step.text for step in pair.chosen] == ["\\boxed{7}"]
    assert [step.text for step in pair.rejected] == ["b\n\n", "\\boxed{5}"]
