"""Choose the rollout that OmegaPRM searches next (arXiv 2406.06592, section 3.3, equations 2 and 3).

A rollout (s, r) completes the state s to an incorrect answer. Those of states with 0 < MC(s) < 1 are in the pool: the
policy can solve the problem from s, and did not. The one of highest Q(s, r) + U(s) is next, and leaves the pool.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.tree import Tree


@dataclass(frozen=True, slots=True)
class PoolWeights:
    """Constants of Q and U: alpha and beta in (0, 1], L in tokens, c_puct."""

    alpha: float = 0.5
    beta: float = 0.9
    length_scale: float = 500.0
    c_puct: float = 0.125


@dataclass(frozen=True, slots=True)
class Rollout:
    """An incorrect solution below a state: the node of the state, the last node, the tokens between them."""

    state: int
    end: int
    tokens: int


def rollout_value(share: float, tokens: int, weights: PoolWeights) -> float:
    """Return Q(s, r) = alpha^(1 - MC(s)) * beta^(len(r) / L): high for short mistakes where most rollouts make none.

    MC(s) = 0.75 and 250 tokens with alpha 0.5, beta 0.9, L 500: 0.5^0.25 * 0.9^0.5 = 0.8409 * 0.9487 = 0.7977.
    """
    return float(weights.alpha ** (1 - share) * weights.beta ** (tokens / weights.length_scale))


def exploration(visits: int, all_visits: int, weights: PoolWeights) -> float:
    """Return U(s) = c_puct * sqrt(sum of all N) / (1 + N(s)), where N(s) counts the rollouts of s that were searched.

    N(s) = 1 of 4 with c_puct 0.125: 0.125 * 2 / 2 = 0.125. Before the first search it is 0 for all states.
    """
    return weights.c_puct * math.sqrt(all_visits) / (1 + visits)


def select_rollout(tree: Tree, pool: Sequence[Rollout], weights: PoolWeights) -> Rollout:
    """Return the rollout of highest Q + U, of equal ones the first. A state's label is MC(s), its visits are N(s)."""
    all_visits = sum(node.visits for node in tree.nodes)

    def priority(rollout: Rollout) -> float:
        state = tree.nodes[rollout.state]
        value = rollout_value(state.label or 0.0, rollout.tokens, weights)
        return value + exploration(state.visits, all_visits, weights)

    return max(pool, key=priority)
