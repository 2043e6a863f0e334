"""SPHERE (arXiv 2503.04813): make pairs of three kinds from the branches of its search."""

from __future__ import annotations

from collections import Counter

from search.data import PreferencePair
from search.strategies.tree.sphere import Branch, extremes
from search.tree import Tree
from train.record_files import PAIRS
from train.rules.base import POLICY, Harvest, HarvestRule, NoOptions, RuleInputs, training_set
from train.rules.solutions import Solution, to_pair
from train.rules.writing import writer_of

PAIR_KINDS = {
    Branch.GENERATE: "generated",
    Branch.CORRECT_MAX: "corrected",
    Branch.CORRECT_MIN: "corrected",
    Branch.DIVERSIFY: "diversified",
}


def harvest(inputs: RuleInputs, options: NoOptions) -> Harvest:
    """Make the pairs of all trees, and count them by kind.

    ``unsolved``: trees without a graded solution in their first branch. ``no_pair``: other trees without a pair.
    """
    pairs: list[PreferencePair] = []
    tally = Counter({"trees": 0, "generated": 0, "corrected": 0, "diversified": 0, "unsolved": 0, "no_pair": 0})
    for tree in inputs.trees:
        by_branch = tree_pairs(tree)
        pairs += [pair for _, pair in by_branch]
        tally.update(PAIR_KINDS[branch] for branch, _ in by_branch)
        first = extremes(tree, Branch.GENERATE)
        unsolved = first is None or tree.nodes[first[0]].correct is None
        tally.update({"trees": 1, "unsolved": int(unsolved), "no_pair": int(not unsolved and not by_branch)})
    reason = (
        f"no branch has a correct solution to set against an incorrect one: of {tally['trees']} trees {tally['unsolved']} "
        f"have no graded solution, {tally['no_pair']} have no pair"
    )
    return Harvest({PAIRS: training_set(pairs, reason)}, {**tally, "pairs": len(pairs)})


def tree_pairs(tree: Tree) -> list[tuple[Branch, PreferencePair]]:
    """Return the pairs of one tree, each with the branch that made it possible.

    Generated: Sol_max over Sol_min. Corrected: the branch's correct solution of highest reward, of its two, over the
    incorrect one that it began from. Diversified: Sol_max over the smaller model's most plausible incorrect solution, of
    its two that of highest reward.
    """
    first = extremes(tree, Branch.GENERATE)
    if first is None:
        return []
    best, worst = first
    sides = {
        Branch.GENERATE: (_first_graded(tree, (best,), True), _first_graded(tree, (worst,), False)),
        Branch.CORRECT_MAX: (_first_graded(tree, extremes(tree, Branch.CORRECT_MAX), True), best),
        Branch.CORRECT_MIN: (_first_graded(tree, extremes(tree, Branch.CORRECT_MIN), True), worst),
        Branch.DIVERSIFY: (best, _first_graded(tree, extremes(tree, Branch.DIVERSIFY), False)),
    }
    return [
        (branch, to_pair(tree.problem, Solution(tree.steps(chosen)), Solution(tree.steps(rejected))))
        for branch, (chosen, rejected) in sides.items()
        if chosen is not None and rejected is not None
    ]


def _first_graded(tree: Tree, ends: tuple[int, ...] | None, correct: bool) -> int | None:
    """Return the first end whose grade is ``correct``."""
    return next((end for end in ends or () if tree.nodes[end].correct is correct), None)


RULE = HarvestRule(
    name="sphere",
    write=writer_of(harvest),
    files={POLICY: (PAIRS,)},
    needs_scores=True,
    strategy="sphere",
    bound=lambda options, trees: {PAIRS: 2 * len(trees)},  # both solutions of the first branch, corrected
)
