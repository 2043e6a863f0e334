"""Values in [-1, 1] of nodes, paths and finished solutions, the order of solutions, and the answer that follows from it.

A value tanh(logit / squash_scale) is what a search backs up. It is 1.0 for every large logit, so answers are chosen by
log-odds, which keep the differences (``search.evaluation.aggregation``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.data import Aggregation
from search.evaluation import readings
from search.evaluation.aggregation import NO_REWARD, Rank, aggregate, rank
from search.evaluation.solutions import finished_solutions, path_log_odds
from search.evaluation.voting import best_of_n, top_answers, vote_sums, weighted_vote
from search.tree import ROOT, Node, Tree

BEST, WORST = 1.0, -1.0  # BEST: a correct answer; WORST: an incorrect one, failing code or a solution without an answer


@dataclass(frozen=True, slots=True)
class Choice:
    """The answer that a rule chose; ``ties``: how many other answers were as good and only came later."""

    answer: str | None
    ties: int = 0


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
    rewards = [score for i in tree.path(index) if (score := tree.nodes[i].score) is not None]
    return aggregate_rewards(rewards, aggregation)


def path_rank(tree: Tree, index: int, aggregation: Aggregation) -> Rank:
    """Return what orders solutions as ``path_value`` does, without its ties between large logits."""
    correct = tree.nodes[index].correct
    if correct is not None:
        return (math.inf if correct else -math.inf,)
    return reward_rank(tree, index, aggregation)


def reward_rank(tree: Tree, index: int, aggregation: Aggregation) -> Rank:
    """Return the rank of a path by its rewards, whatever its grade."""
    log_odds = path_log_odds(tree, index)
    return rank(log_odds, aggregation) if log_odds else NO_REWARD


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


def choose_answer(tree: Tree, rule: str, aggregation: Aggregation = Aggregation.LAST) -> Choice:
    """Return the tree's answer, None without finished solutions, and how many other answers tied with it.

    ``rule`` "best" takes the finished solution of highest value. "weighted" is a vote weighted by (1 + value) / 2 times
    the solution's multiplicity. "posterior" is a vote weighted by ``path_share`` times exp(``log_strength``), as a
    prior times a likelihood. "majority" is a vote weighted by the multiplicity. All compare logits, not values: of logits
    25 and 30 the second wins. Of answers that tie the first is taken; readings of a stored tree share the win
    (``search/evaluation/readings.py``). Between graded solutions no tie is counted, since only the grade decides.
    """
    solutions = finished_solutions((tree,), aggregation, with_grades=True)
    answers = [solution.answer for solution in solutions]
    if rule == readings.BEST:
        ranks = [solution.rank for solution in solutions]
        answer, rivals = best_of_n(answers, ranks), top_answers(answers, ranks)
    else:
        weights = readings.vote_weights(solutions, rule)
        answer, rivals = weighted_vote(answers, weights), top_answers(*vote_sums(answers, weights))
    is_graded = any(tree.nodes[i].correct is not None for i in tree.terminals())
    return Choice(answer, 0 if is_graded else max(0, rivals - 1))
