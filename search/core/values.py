"""What solutions are worth: the value of an end, of a path, of the nodes above them, and the answer that follows.

Pure functions over a tree. Knows no strategy and no engine; voting.py has the arithmetic of votes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from search.evaluation.voting import Aggregation, aggregate, best_of_n, weighted_vote
from search.tree import ROOT, Node, Tree

CERTAIN = 1 - 1e-12  # beyond it a value says no more of a logit
RIGHT, WORST = 1.0, -1.0  # WORST: a wrong answer, code that fails, a solution without an end


def terminal_value(node: Node) -> float:
    """+1 or -1 for a graded answer, the process reward for an ungraded one, -1 without an answer."""
    if node.correct is not None:
        return RIGHT if node.correct else WORST
    if node.answer is None:
        return WORST
    return node.score or 0.0


def back_up(tree: Tree, index: int, value: float) -> None:
    """Add one visit and a value to a node and all its ancestors."""
    while index >= ROOT:
        tree.nodes[index].visits += 1
        tree.nodes[index].value_sum += value
        index = tree.nodes[index].parent


def path_value(tree: Tree, index: int, how: Aggregation) -> float:
    """Value in [-1, 1] of the solution, finished or not, that ends at a node: its grade, else its rewards as one."""
    node = tree.nodes[index]
    if node.correct is not None:
        return RIGHT if node.correct else WORST
    return path_reward(tree, index, how)


def path_reward(tree: Tree, index: int, how: Aggregation) -> float:
    """The rewards of a solution's steps as one, whatever its grade."""
    return as_one([score for i in tree.path(index) if (score := tree.nodes[i].score) is not None], how)


def as_one(rewards: Sequence[float], how: Aggregation) -> float:
    """Rewards in [-1, 1] as one.

    The product wants probabilities, which (1 + reward) / 2 is: the logistic function of 2 * logit / squash_scale.
    Rewards 0.5 and 0 → probabilities 0.75 and 0.5, product 0.375, value 2 * 0.375 - 1 = -0.25. Without rewards 0.
    """
    if not rewards:
        return 0.0
    if how is Aggregation.PRODUCT:
        return 2 * aggregate([(1 + reward) / 2 for reward in rewards], how) - 1
    return aggregate(rewards, how)


def share(tree: Tree, index: int) -> float:
    """The part of what was drawn that led to a node: of all candidates at the root those of its first step, of all after
    that one those of its second step, and so on, multiplied.

    An estimate of the policy's probability of the path. Drawn twice of three times, then once of four: 2/3 * 1/4.
    """
    part = 1.0
    for i in tree.path(index):
        drawn = sum(tree.nodes[child].multiplicity for child in tree.nodes[tree.nodes[i].parent].children)
        part *= tree.nodes[i].multiplicity / drawn
    return part


def strength(value: float) -> float:
    """Strength of a solution among others by the model that pairs are learnt with: exp(logit / squash_scale).

    Bradley and Terry (1952): of two, one is preferred with probability strength / (sum of both strengths), which is the
    logistic function of the difference of logits in the pairwise loss. So a constant that a reward model adds to all its
    logits changes no vote, while it changes (1 + value) / 2. Value 0.6 is tanh of 0.693, strength 2.
    """
    bounded = min(max(value, -CERTAIN), CERTAIN)
    return math.sqrt((1 + bounded) / (1 - bounded))


def answer(tree: Tree, by: str, how: Aggregation = Aggregation.LAST) -> str | None:
    """The tree's answer: of the finished solution of best value, or by a vote of all.

    A vote of "weighted" weighs (1 + value) / 2 as often as the end was drawn. One of "posterior" weighs the share of all
    that was drawn by the solution's strength, as a prior by a likelihood.
    """
    ends = list(tree.terminals())
    answers, values = [tree.nodes[i].answer for i in ends], [path_value(tree, i, how) for i in ends]
    if by == "best":
        return best_of_n(answers, values)
    if by == "posterior":
        weights = [share(tree, i) * strength(value) for i, value in zip(ends, values, strict=True)]
    else:
        weights = [tree.nodes[i].multiplicity * (1 + value) / 2 for i, value in zip(ends, values, strict=True)]
    return weighted_vote(answers, weights)
