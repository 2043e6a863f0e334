"""When a tree is done, and what is written into it then. Shared by all strategies."""

from __future__ import annotations

from time import monotonic

from search.config import SearchConfig
from search.core.values import answer, path_value
from search.data import Cost
from search.protocols import Grader
from search.tree import ROOT, Tree


def budget_exhausted(tree: Tree, config: SearchConfig) -> bool:
    """Whether the budget of generated tokens is used up. Tokens count once the request that drew them is answered."""
    return config.budget_tokens is not None and tree.cost.generated_tokens >= config.budget_tokens


def should_stop(tree: Tree, config: SearchConfig) -> bool:
    """Whether a budget is spent or enough was found."""
    if budget_exhausted(tree, config) or found_enough(tree, config):
        return True
    if not config.enough_right and not config.enough_wrong:
        return False
    right = sum(node.correct is True for node in tree.nodes)
    wrong = sum(node.correct is False for node in tree.nodes)
    return right >= config.enough_right and wrong >= config.enough_wrong


def found_enough(tree: Tree, config: SearchConfig) -> bool:
    """Whether a finished solution that nobody graded is as good as the search is to find."""
    least = config.enough_score
    if least is None:
        return False
    ends = (index for index in tree.terminals() if tree.nodes[index].correct is None)
    return any(path_value(tree, index, config.aggregate) >= least for index in ends)


def finalize(tree: Tree, config: SearchConfig, began: float) -> Tree:
    """The tree with its answer and the seconds since ``began`` (of ``monotonic``)."""
    tree.answer = answer(tree, config.answer_by, config.aggregate)
    return add_elapsed(tree, began)


def grade_terminals(tree: Tree, grader: Grader | None, begin: int = ROOT) -> None:
    """Grade the finished solutions from node ``begin`` on, where there is a grader: for searches that are not to see
    grades while they grow."""
    if grader is None:
        return
    for index in tree.terminals():
        if index >= begin:
            tree.nodes[index].correct = grader.grade(tree.problem, tree.nodes[index].answer)


def add_elapsed(tree: Tree, began: float) -> Tree:
    """The tree with the seconds since ``began``."""
    tree.cost = tree.cost + Cost(seconds=monotonic() - began)
    return tree
