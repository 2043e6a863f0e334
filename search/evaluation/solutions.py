"""Collect the finished solutions of stored trees, with all that a rule needs to choose an answer among them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from search.data import Aggregation
from search.evaluation.aggregation import NO_REWARD, Rank, aggregate_log_odds, rank
from search.tree import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedSolution:
    """A solution with an answer.

    Attributes:
        answer: as it is written.
        multiplicity: how often it was drawn.
        rank: orders solutions by the rewards of their steps, the best highest.
        log_odds: aggregated log-odds that it is correct, by the reward model; 0 without a reward.
        log_share: logarithm of the policy's share of its path (``path_share``).
        is_scored: whether a step of it has a reward.
    """

    answer: str
    multiplicity: int
    rank: Rank
    log_odds: float
    log_share: float
    is_scored: bool


def finished_solutions(
    trees: Iterable[Tree], aggregation: Aggregation, *, with_grades: bool = False
) -> list[FinishedSolution]:
    """Return the finished solutions of one or several trees of a problem, in the order of the trees and of their nodes.

    ``with_grades``: a grade, which only a search of training problems has, decides in place of the rewards.
    """
    solutions = []
    for tree in trees:
        for index in tree.terminals():
            node = tree.nodes[index]
            rewards = path_log_odds(tree, index)
            log_odds = aggregate_log_odds(rewards, aggregation) if rewards else 0.0
            ordered = rank(rewards, aggregation) if rewards else NO_REWARD
            if with_grades and node.correct is not None:
                log_odds = math.inf if node.correct else -math.inf
                ordered = (log_odds,)
            solutions.append(
                FinishedSolution(
                    answer=str(node.answer),
                    multiplicity=node.multiplicity,
                    rank=ordered,
                    log_odds=log_odds,
                    log_share=log_path_share(tree, index),
                    is_scored=bool(rewards),
                )
            )
    return solutions


def path_log_odds(tree: Tree, index: int) -> list[float]:
    """Return the rewards of the steps down to a node as log-odds, those that there are."""
    return [log_odds for i in tree.path(index) if (log_odds := tree.nodes[i].log_odds) is not None]


def path_share(tree: Tree, index: int) -> float:
    """Return an estimate of the policy's probability of a path: the product of its steps' shares of the candidates.

    A step's share is its multiplicity over that of all its siblings. Two of three candidates, then one of four:
    2/3 * 1/4.
    """
    return math.exp(log_path_share(tree, index))


def log_path_share(tree: Tree, index: int) -> float:
    """Return the logarithm of ``path_share``."""
    log_share = 0.0
    for i in tree.path(index):
        drawn = sum(tree.nodes[child].multiplicity for child in tree.nodes[tree.nodes[i].parent].children)
        log_share += math.log(tree.nodes[i].multiplicity / drawn)
    return log_share
