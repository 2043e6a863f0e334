"""SPHERE (arXiv 2503.04813): pairs of three sorts from the branches of its search. Knows the rule, no search."""

from __future__ import annotations

from collections import Counter

from search.core.values import RIGHT, WORST
from search.data import PreferencePair
from search.strategies.tree.sphere import Branch, extremes
from search.tree import Tree
from train.rules.base import POLICY, Harvest, RuleInputs, lesson
from train.rules.config import RulesConfig

SORTS = {
    Branch.GENERATE: "generated",
    Branch.CORRECT_MAX: "corrected",
    Branch.CORRECT_MIN: "corrected",
    Branch.DIVERSIFY: "diversified",
}


def sphere(material: RuleInputs, config: RulesConfig) -> Harvest:
    """The union of all trees' pairs, with how many there are of each sort.

    ``unsolved``: trees without a graded solution in their first branch; ``no_pair``: other trees without a pair.
    """
    pairs: list[PreferencePair] = []
    tally = Counter({"trees": 0, "generated": 0, "corrected": 0, "diversified": 0, "unsolved": 0, "no_pair": 0})
    for tree in material.trees:
        found = tree_pairs(tree)
        pairs += [pair for _, pair in found]
        tally.update(SORTS[branch] for branch, _ in found)
        first = extremes(tree, Branch.GENERATE)
        unsolved = first is None or tree.nodes[first[0]].correct is None
        tally.update({"trees": 1, "unsolved": int(unsolved), "no_pair": int(not unsolved and not found)})
    reason = (
        f"no branch has a right solution to set against a wrong one: of {tally['trees']} trees {tally['unsolved']} have "
        f"no graded solution, {tally['no_pair']} have no pair"
    )
    return Harvest({POLICY: lesson(pairs, reason)}, {**tally, "pairs": len(pairs)})


def tree_pairs(tree: Tree) -> list[tuple[Branch, PreferencePair]]:
    """The pairs of one tree, each with the branch that made it possible.

    Generated: Sol_max over Sol_min. Corrected: the branch's right solution of highest reward, of its two, over the wrong
    one it began from. Diversified: Sol_max over the smaller model's most plausible wrong one: of its two that of
    highest reward.
    """
    first = extremes(tree, Branch.GENERATE)
    if first is None:
        return []
    best, worst = first
    sides = {
        Branch.GENERATE: (_first(tree, (best,), True), _first(tree, (worst,), False)),
        Branch.CORRECT_MAX: (_first(tree, extremes(tree, Branch.CORRECT_MAX), True), best),
        Branch.CORRECT_MIN: (_first(tree, extremes(tree, Branch.CORRECT_MIN), True), worst),
        Branch.DIVERSIFY: (best, _first(tree, extremes(tree, Branch.DIVERSIFY), False)),
    }
    return [
        (branch, PreferencePair(tree.problem, (), tree.steps(chosen), tree.steps(rejected), RIGHT, WORST))
        for branch, (chosen, rejected) in sides.items()
        if chosen is not None and rejected is not None
    ]


def _first(tree: Tree, ends: tuple[int, ...] | None, correct: bool) -> int | None:
    """The first of the ends that is graded so."""
    return next((end for end in ends or () if tree.nodes[end].correct is correct), None)
