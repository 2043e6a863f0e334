"""When a tree is finished, and what is written into it then: grades, answer and elapsed time."""

from __future__ import annotations

from time import monotonic

from search.config import SearchConfig
from search.core.values import choose_answer, path_value
from search.data import Cost
from search.grading.grader import grade
from search.protocols import Grader
from search.tree import ROOT, Tree


def budget_exhausted(tree: Tree, config: SearchConfig) -> bool:
    """Return whether the budget of generated tokens is used up. Tokens count once their request is answered."""
    return config.budget_tokens is not None and tree.cost.generated_tokens >= config.budget_tokens


def should_stop(tree: Tree, config: SearchConfig) -> bool:
    """Return whether the budget is exhausted or the tree has the solutions that the config asks for."""
    if budget_exhausted(tree, config) or found_enough(tree, config):
        return True
    if not config.stop_after_correct and not config.stop_after_incorrect:
        return False
    correct = sum(node.correct is True for node in tree.nodes)
    incorrect = sum(node.correct is False for node in tree.nodes)
    return correct >= config.stop_after_correct and incorrect >= config.stop_after_incorrect


def found_enough(tree: Tree, config: SearchConfig) -> bool:
    """Return whether an ungraded finished solution has at least the value ``stop_at_score``."""
    threshold = config.stop_at_score
    if threshold is None:
        return False
    ends = (index for index in tree.terminals() if tree.nodes[index].correct is None)
    return any(path_value(tree, index, config.aggregation) >= threshold for index in ends)


def finalize(tree: Tree, config: SearchConfig, started: float) -> Tree:
    """Write the answer and the seconds since ``started`` (of ``monotonic``) into the tree; return it."""
    choice = choose_answer(tree, config.answer_rule, config.aggregation)
    tree.answer, tree.tied_answers = choice.answer, choice.ties
    return add_elapsed(tree, started)


def grade_terminals(tree: Tree, grader: Grader | None, first: int = ROOT) -> None:
    """Grade the finished solutions from node ``first`` on, if there is a grader.

    For searches that must not see grades while they grow.
    """
    if grader is None:
        return
    for index in tree.terminals():
        if index >= first:
            tree.nodes[index].correct = grader.grade(tree.problem, tree.nodes[index].answer)


async def await_grades(tree: Tree, grader: Grader | None, first: int = ROOT) -> None:
    """Grade as ``grade_terminals`` does, without blocking the event loop."""
    if grader is None:
        return
    for index in tree.terminals():
        if index >= first:
            tree.nodes[index].correct = await grade(grader, tree.problem, tree.nodes[index].answer)


def add_elapsed(tree: Tree, started: float) -> Tree:
    """Add the seconds since ``started`` to the tree's cost; return the tree."""
    tree.cost = tree.cost + Cost(seconds=monotonic() - started)
    return tree
