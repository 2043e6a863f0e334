"""Let the policy mark its own solutions (self-rewarding, arXiv 2401.10020): make the prompts, read the marks.

A judgement is a sample like any other: of a problem whose question shows the solution, drawn a few times by a search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from search.data import Problem
from search.prompts import judge_prompt, parse_mark
from search.tree import Tree
from train.rules.base import SolutionMarks
from train.rules.solutions import Solution, collect_solutions

JUDGEMENTS = 3  # of each solution, as in the paper


def judgement_problems(trees: Iterable[Tree]) -> tuple[Problem, ...]:
    """Return for every different solution the problem of judging it.

    It keeps the answer, which a worker needs for its summary. The judge searches blind and does not see it.
    """
    return tuple(
        Problem(
            id=judgement_id,
            question=judge_prompt(problem.question, solution.text),
            answer=problem.answer,
            source=problem.source,
        )
        for judgement_id, problem, solution in _solutions(trees)
    )


def solution_marks(trees: Iterable[Tree], judgement_trees: Iterable[Tree]) -> list[SolutionMarks]:
    """Return the marks of each solution in ``trees``, from the trees of its ``judgement_problems``."""
    marks = {tree.problem.id: tuple(read_marks(tree)) for tree in judgement_trees}
    return [
        SolutionMarks(problem_id=problem.id, text=solution.text, marks=marks.get(judgement_id, ()))
        for judgement_id, problem, solution in _solutions(trees)
    ]


def read_marks(tree: Tree) -> Iterator[float]:
    """Yield the marks in a tree of judgements, as often as each was drawn; unreadable judgements have none."""
    for index, node in enumerate(tree.nodes):
        if node.step is not None and not node.children:
            mark = parse_mark("".join(step.text for step in tree.steps(index)))
            yield from [mark] * node.multiplicity if mark is not None else ()


def _solutions(trees: Iterable[Tree]) -> Iterator[tuple[str, Problem, Solution]]:
    """Yield all solutions with their problems, each with the id of the problem of judging it."""
    for collected in collect_solutions(trees):
        for index, solution in enumerate(collected.solutions):
            yield f"{collected.problem.id}/judged-{index}", collected.problem, solution
