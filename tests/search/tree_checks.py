"""Views of a tree that tests compare, and sums that hold for every tree."""

from __future__ import annotations

import math

from search.tree import Node, Tree
from tests.fakes.words import word


def shape(tree: Tree) -> list[tuple[object, ...]]:
    """Return all that a strategy writes into nodes."""
    return [
        (n.parent, word(n.step), n.visits, n.value_sum, n.score, n.correct, n.multiplicity, n.label, n.completions)
        for n in tree.nodes
    ]


def expanded(tree: Tree) -> list[str]:
    """Return the words of the nodes that were expanded."""
    return [word(node.step) for node in tree.nodes if node.is_expanded]


def check_sums(tree: Tree) -> None:
    """Check that visits and values of every node are those of its live children plus those of rollouts that ended there."""
    for index, node in enumerate(tree.nodes):
        if node.is_failed:
            assert (node.visits, node.value_sum) == (1, -1.0)  # its own value, which no rollout backed up
            continue
        below = [tree.nodes[child] for child in tree.live_children(index)]
        ended = node.visits - sum(child.visits for child in below)
        # rollouts end at answers and where no child is live, though one may be drawn later
        assert ended == 0 or (ended > 0 and (not below or node.draws > 1))
        values = math.fsum(child.value_sum for child in below) + ended * end_value(node)
        assert math.isclose(node.value_sum, values, abs_tol=1e-9)


def end_value(node: Node) -> float:
    """Return +1 or -1 for a grade, else the reward of an answer, else -1."""
    if node.correct is not None:
        return 1.0 if node.correct else -1.0
    return (node.score or 0.0) if node.answer is not None else -1.0
