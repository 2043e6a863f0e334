"""Values in [-1, 1] of nodes, paths and finished solutions, and the answer that follows from them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from search.data import Aggregation
from search.evaluation.voting import aggregate, best_of_n, weighted_vote
from search.tree import ROOT, Node, Tree

MAX_MAGNITUDE = 1 - 1e-12  # values are clipped to it before atanh, where they would be infinite
BEST, WORST = 1.0, -1.0  # BEST: a correct answer; WORST: an incorrect one, failing code or a solution without an answer


def terminal_value(node: Node) -> float:
    """Return +1 or -1 for a graded answer, the reward model's value for an ungraded one, -1 without an answer."""
    if node.correct is not None:
        return BEST if node.correct else WORST
    if node.answer is None:
        return WORST
    return node.score or 0.0


def back_up(tree: Tree, index: int, value: float) -> None:
    """Add one visit and a value to a node and all its ancestors."""
    while index >= ROOT:
        tree.nodes[index].visits += 1
        tree.nodes[index].value_sum += value
        index = tree.nodes[index].parent


def path_value(tree: Tree, index: int, aggregation: Aggregation) -> float:
    """Return the value of the solution, finished or not, that ends at a node: its grade, else its path's reward."""
    node = tree.nodes[index]
    if node.correct is not None:
        return BEST if node.correct else WORST
    return path_reward(tree, index, aggregation)


def path_reward(tree: Tree, index: int, aggregation: Aggregation) -> float:
    """Return the aggregated rewards of the steps on a path, whatever its grade."""
    rewards = [score for i in tree.path(index) if (score := tree.nodes[i].score) is not None]
    return aggregate_rewards(rewards, aggregation)


def aggregate_rewards(rewards: Sequence[float], aggregation: Aggregation) -> float:
    """Return one value for rewards in [-1, 1]; 0 without rewards.

    PRODUCT multiplies the probabilities (1 + reward) / 2, which are sigmoid(2 * logit / squash_scale). Rewards 0.5 and 0
    are probabilities 0.75 and 0.5, product 0.375, value 2 * 0.375 - 1 = -0.25.
    """
    if not rewards:
        return 0.0
    if aggregation is Aggregation.PRODUCT:
        return 2 * aggregate([(1 + reward) / 2 for reward in rewards], aggregation) - 1
    return aggregate(rewards, aggregation)


def path_share(tree: Tree, index: int) -> float:
    """Return an estimate of the policy's probability of a path: the product of its steps' shares of the candidates.

    A step's share is its multiplicity over that of all its siblings. Two of three candidates, then one of four:
    2/3 * 1/4.
    """
    share = 1.0
    for i in tree.path(index):
        drawn = sum(tree.nodes[child].multiplicity for child in tree.nodes[tree.nodes[i].parent].children)
        share *= tree.nodes[i].multiplicity / drawn
    return share


def preference_strength(value: float) -> float:
    """Return the Bradley-Terry strength exp(logit / squash_scale) of a solution with this value.

    Bradley and Terry (1952): of two solutions one is preferred with probability strength / (sum of both strengths), the
    logistic function of the difference of logits that the pairwise loss trains. So a constant that a reward model adds
    to all its logits changes no vote, while it changes (1 + value) / 2. Value 0.6 is tanh(0.693), strength 2.
    """
    clipped = min(max(value, -MAX_MAGNITUDE), MAX_MAGNITUDE)
    return math.sqrt((1 + clipped) / (1 - clipped))


def choose_answer(tree: Tree, rule: str, aggregation: Aggregation = Aggregation.LAST) -> str | None:
    """Return the tree's answer, None without finished solutions.

    ``rule`` "best" takes the finished solution of highest value. "weighted" is a vote weighted by (1 + value) / 2 times
    the solution's multiplicity. "posterior" is a vote weighted by ``path_share`` times ``preference_strength``, as a
    prior times a likelihood.
    """
    ends = list(tree.terminals())
    answers, values = [tree.nodes[i].answer for i in ends], [path_value(tree, i, aggregation) for i in ends]
    if rule == "best":
        return best_of_n(answers, values)
    if rule == "posterior":
        weights = [path_share(tree, i) * preference_strength(value) for i, value in zip(ends, values, strict=True)]
    else:
        weights = [tree.nodes[i].multiplicity * (1 + value) / 2 for i, value in zip(ends, values, strict=True)]
    return weighted_vote(answers, weights)
