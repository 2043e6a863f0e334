"""Give every node of a tree its Q, and say whether it leads to a correct and to an incorrect end.

An end is correct if its answer was graded correct. It is incorrect if its answer was graded incorrect and, with ``rejected:
any``, if the solution ended without an answer (failed code, no answer, too deep). A node leads to the ends below it, and to
itself. Without ``rejected: any`` a node leads nowhere if its code, or the code before it, did not run to its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean

from search.data import Outcome, Step, StepStatus
from search.tree import ROOT, Node, Tree
from train.labels.node_values import leaf_outcome, q_with_score, q_without_score
from train.rules.rstar_math.options import RStarMathOptions

CODE_FAILURES = frozenset(
    {
        Outcome.SYNTAX_ERROR,
        Outcome.EXCEPTION,
        Outcome.TIMEOUT,
        Outcome.OUT_OF_MEMORY,
        Outcome.FORBIDDEN,
        Outcome.CRASHED,
    }
)

SolutionRank = tuple[float, float]  # mean Q, then the lowest Q


@dataclass(frozen=True, slots=True)
class Sides:
    """Nodes whose step, or solution, is preferred, and nodes whose step is rejected: every two of them may make a pair."""

    preferred: Sequence[int]
    rejected: Sequence[int]

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield every preferred node with every rejected one."""
        return product(self.preferred, self.rejected)

    def pair_weight(self, options: RStarMathOptions) -> float:
        """Return the weight of a pair in the loss; by prefix 1 / (preferred * rejected): 1 x 4 sides give 0.25 each."""
        if options.pair_weights == "equal":
            return 1.0
        return 1.0 / (len(self.preferred) * len(self.rejected))


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuedTree:
    """A tree, with lists over its nodes: ``q``, and whether a ``correct`` and an ``incorrect`` end is at or below a node."""

    tree: Tree
    q: Sequence[float]
    correct: Sequence[bool]
    incorrect: Sequence[bool]

    @property
    def is_mixed(self) -> bool:
        """Whether the tree has a correct and an incorrect end."""
        return self.correct[ROOT] and self.incorrect[ROOT]

    def siblings(self, parent: int) -> list[int]:
        """Return the children that continue the same prefix: not those that replace their parent."""
        nodes = self.tree.nodes
        return [child for child in nodes[parent].children if not nodes[child].replaces_parent]

    def solution_values(self, end: int) -> tuple[float, ...]:
        """Return Q of the steps of the solution that ends at a node."""
        return tuple(self.q[index] for index in self.tree.solution(end))


def value_tree(tree: Tree, options: RStarMathOptions, *, with_score: bool = True) -> ValuedTree:
    """Return the tree with Q and the ends that its nodes lead to; Q leaves the reward model out without ``with_score``."""
    nodes = tree.nodes
    blocked = [False] * len(nodes)
    if options.rejected == "answered":
        for index, node in enumerate(nodes[1:], 1):  # parents come before their children
            blocked[index] = blocked[node.parent] or (node.step is not None and is_failed_code(node.step))
    correct = [node.correct is True and not blocked[index] for index, node in enumerate(nodes)]
    incorrect = [_is_incorrect_end(node, options) and not blocked[index] for index, node in enumerate(nodes)]
    for index in range(len(nodes) - 1, ROOT, -1):  # children come after their parents
        parent = nodes[index].parent
        correct[parent] |= correct[index]
        incorrect[parent] |= incorrect[index]
    q = [_node_q(node, options, with_score) for node in nodes]
    return ValuedTree(tree=tree, q=q, correct=correct, incorrect=incorrect)


def rank_solution(values: Sequence[float], options: RStarMathOptions) -> SolutionRank:
    """Return the mean of a solution's Q and, unless ties go to the first, its least: higher is better.

    Q 1, 0.5, 0.9 and 0.8, 0.8, 0.8 both have the mean 0.8; the second comes first, by 0.8 over 0.5 (released code,
    train/sample_sft_data.py, where the sort key is the pair of both).
    """
    return fmean(values), min(values) if options.tie_break == "least_q" else 0.0


def is_failed_code(step: Step) -> bool:
    """Return True if the step's code did not run to its end."""
    return step.outcome in CODE_FAILURES or step.status is StepStatus.CODE_ERROR


def _is_incorrect_end(node: Node, options: RStarMathOptions) -> bool:
    return leaf_outcome(node) is False and (options.rejected == "any" or node.answer is not None)


def _node_q(node: Node, options: RStarMathOptions, with_score: bool) -> float:
    """Return Q of a node, 0 where it has none."""
    if options.unvisited_leaves == "zero" and not node.visits and leaf_outcome(node) is not None:
        return 0.0
    q = q_with_score(node) if with_score else q_without_score(node)
    return 0.0 if q is None else q
