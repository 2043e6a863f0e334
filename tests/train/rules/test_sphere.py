"""SPHERE's three sorts of pairs, from trees built by hand and from one that the search grew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search.config import SearchConfig
from search.data import PreferencePair, Problem, Step, StepStatus
from search.strategies.tree.sphere import Branch, Sphere
from search.tree import ROOT, Tree
from tests.search.words import WordPolicy, word_tools
from train.rules import POLICY, RuleInputs, RulesConfig, harvest
from train.rules.sphere import tree_pairs

PROBLEM = Problem("p1", "What is 3 + 4?", "7", "made up")
G, MAX, MIN, D = Branch


def grown(*ends: tuple[Branch, str, float], graded: bool = True) -> Tree:
    """Solutions of one step: branch, answer, reward."""
    tree = Tree(PROBLEM, strategy="sphere")
    for branch, answer, reward in ends:
        tree.add(
            ROOT,
            Step(f"{branch.value} {answer}", status=StepStatus.FINAL, answer=answer),
            score=reward,
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
def test_pairs_by_hand(ends: list[tuple[Branch, str, float]], expected: list[tuple[Branch, str, str]]) -> None:
    found = [(branch, pair.chosen[0].text, pair.rejected[0].text) for branch, pair in tree_pairs(grown(*ends))]
    assert found == expected


def test_the_union_and_its_counts() -> None:
    trees = (
        grown((G, "7", 0.5), (G, "8", 0.1)),
        grown((G, "8", 0.5), (MAX, "7", 0.1)),
        grown((G, "7", 0.5), (D, "8", 0.1)),
        grown((G, "7", 0.5), (D, "7", 0.1)),
        grown((G, "7", 0.5), (G, "8", 0.1), graded=False),
        grown(),
    )
    made = harvest("sphere", RuleInputs(trees), RulesConfig())
    assert made.counts == {
        "trees": 6, "generated": 1, "corrected": 1, "diversified": 1, "unsolved": 2, "no_pair": 1, "pairs": 3,
    }  # fmt: skip
    pair = made.lessons[POLICY].records[0]
    assert isinstance(pair, PreferencePair)
    assert (pair.problem, pair.prefix, pair.chosen_q, pair.rejected_q) == (PROBLEM, (), 1.0, -1.0)


async def test_from_the_search_to_the_pairs() -> None:
    """Both right: the second policy's wrong solution of two steps is what the right one is set against."""
    policy = WordPolicy({(): ["=7", "a"], ("a",): ["=7"]})
    second = WordPolicy({(): ["b", "=7"], ("b",): ["=5"]})
    tools = replace(word_tools(policy, {"=7": 0.9, "b": 0.2, "=5": 0.1}, graded=True), second=second)
    tree = await Sphere(SearchConfig(strategy="sphere", candidates=2)).search(PROBLEM, tools, 1)
    ((branch, pair),) = tree_pairs(tree)
    assert branch is D
    assert [step.text for step in pair.chosen] == ["\\boxed{7}"]
    assert [step.text for step in pair.rejected] == ["b\n\n", "\\boxed{5}"]
