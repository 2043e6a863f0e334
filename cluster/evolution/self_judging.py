"""Let the policy mark its own solutions (self-rewarding, arXiv 2401.10020): make the prompts, read the marks.

The problem gets the request to mark the solution (``judgement_problems``). A search with the strategy ``sampling`` draws
JUDGEMENTS responses to each request, the judgements; ``read_marks`` reads a mark from each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from search.data import Problem
from search.formats.marks import parse_mark
from search.formats.requests import judge_request
from search.tree import Tree
from train.rules.base import MAX_MARK, SolutionMarks
from train.rules.solutions import Solution, collect_solutions

JUDGEMENTS = 3  # of each solution, as in the paper


def judgement_problems(trees: Iterable[Tree], prompt: str) -> tuple[Problem, ...]:
    """Return one problem for every different solution, with the request to mark it that ``prompt`` says.

    It keeps the reference answer, which a worker needs for its summary. Its search is blind, so the policy does not
    see it.
    """
    return tuple(
        replace(problem, id=judgement_id, level=None, request=judge_request(solution.steps, prompt))
        for judgement_id, problem, solution in _solutions(trees)
    )


def solution_marks(trees: Iterable[Tree], judgement_trees: Iterable[Tree]) -> list[SolutionMarks]:
    """Return the marks of each solution in ``trees``, from the trees of its ``judgement_problems``."""
    marks: dict[str, list[float]] = {}
    for tree in judgement_trees:
        marks.setdefault(tree.problem.id, []).extend(read_marks(tree))
    return [
        SolutionMarks(problem_id=problem.id, text=solution.text, marks=tuple(marks.get(judgement_id, ())))
        for judgement_id, problem, solution in _solutions(trees)
    ]


def read_marks(tree: Tree) -> Iterator[float]:
    """Yield the mark of each judgement in a tree, as often as it was drawn. An unreadable judgement yields none."""
    for index, node in enumerate(tree.nodes):
        if node.step is not None and not node.children:
            mark = parse_mark("".join(step.text for step in tree.steps(index)), MAX_MARK)
            yield from [mark] * node.multiplicity if mark is not None else ()


def _solutions(trees: Iterable[Tree]) -> Iterator[tuple[str, Problem, Solution]]:
    """Yield each solution with its problem, and with the id of its judgement problem before both."""
    for collected in collect_solutions(trees):
        for index, solution in enumerate(collected.solutions):
            yield f"{collected.problem.id}/judged-{index}", collected.problem, solution
