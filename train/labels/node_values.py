"""Read the value Q of a node of a search tree: the same for harvest rules and for step labels.

An end that no rollout entered stands at its outcome: +1 if its answer was graded correct, -1 if it was graded incorrect or
if there is none (failed code, no answer, too deep). A rollout that entered it would have backed up just that.
"""

from __future__ import annotations

from search.core.values import BEST, WORST
from search.tree import Node


def leaf_outcome(node: Node) -> bool | None:
    """Return True for a correct end, False for an incorrect one, None for a node that is no end or ungraded."""
    return False if node.is_failed else node.correct


def q_with_score(node: Node) -> float | None:
    """Return Q in [-1, 1], in which the reward model's score counts as the first value; None without any value.

    Score 0.8 and four rollouts of value 1: (0.8 + 4) / 5 = 0.96 (rStar-Math, section 3.2).
    """
    outcome = _unvisited_outcome(node)
    if outcome is not None:
        return outcome
    return max(WORST, min(BEST, node.q)) if node.weight else None


def q_without_score(node: Node) -> float | None:
    """Return Q in [-1, 1] of rollouts alone, which trees with and without a reward model share; None without a rollout.

    Score 0.8 and four rollouts of value 1: 4 / 4 = 1.
    """
    outcome = _unvisited_outcome(node)
    if outcome is not None:
        return outcome
    return max(WORST, min(BEST, node.value_sum / node.visits)) if node.visits else None


def _unvisited_outcome(node: Node) -> float | None:
    outcome = leaf_outcome(node)
    if outcome is None or node.visits:
        return None
    return BEST if outcome else WORST
