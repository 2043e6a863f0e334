"""Marks that the policy gives its own solutions (self-rewarding, arXiv 2401.10020): what it is asked, what it answers.

A judgement is a sample like any other: a problem whose question shows the solution, drawn a few times. Knows trees;
the search draws them, and what follows from marks is train.rules' business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from search.data import Problem
from search.prompts import judgement, read_mark
from search.tree import Tree
from train.rules import Marked
from train.rules.solutions import Attempts, Solution, attempts

JUDGEMENTS = 3  # of each solution, as in the paper


def to_judge(trees: Iterable[Tree]) -> tuple[Problem, ...]:
    """For every different solution the problem of judging it.

    It keeps the answer, which a worker wants for its summary; the judge, who searches blind, does not see it.
    """
    return tuple(
        Problem(name, judgement(own.problem.question, found.text), own.problem.answer, own.problem.source)
        for name, own, found in _named(trees)
    )


def marked(trees: Iterable[Tree], judged: Iterable[Tree]) -> list[Marked]:
    """The marks that could be read, solution by solution, from the trees that ``to_judge`` led to."""
    given = {tree.problem.id: tuple(marks(tree)) for tree in judged}
    return [Marked(own.problem.id, found.text, given.get(name, ())) for name, own, found in _named(trees)]


def marks(tree: Tree) -> Iterator[float]:
    """The marks in a tree of judgements, as often as each was drawn; judgements without a readable one are left out."""
    for index, node in enumerate(tree.nodes):
        if node.step is not None and not node.children:
            mark = read_mark("".join(step.text for step in tree.steps(index)))
            yield from [mark] * node.multiplicity if mark is not None else ()


def _named(trees: Iterable[Tree]) -> Iterator[tuple[str, Attempts, Solution]]:
    """All solutions, each with the id of the problem of judging it."""
    for own in attempts(trees):
        for place, found in enumerate(own.solutions):
            yield f"{own.problem.id}/judged-{place}", own, found
