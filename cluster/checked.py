"""Samples of curriculum problems as ProcessBench rows: every step checked exactly, by running it again.

Knows trees and an executor; which step is wrong is search.curriculum's to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from search.curriculum import check_steps, composition_of, of_curriculum
from search.formats import StepFormat, step_texts
from search.grading import grader
from search.process_bench import NO_ERROR, ProcessRow
from search.protocols import Executor
from search.together import together
from search.tree import Tree
from search.types import Problem

AT_ONCE = 8  # trees whose solutions are run side by side


def checkable(problem: Problem, form: StepFormat) -> bool:
    """Whether the steps of this problem's solutions can be checked: it is the curriculum's, and they are programs."""
    return form.name == "code" and of_curriculum(problem)


async def rows(trees: Iterable[Tree], form: StepFormat, executor: Executor) -> dict[str, list[ProcessRow]]:
    """For each tree's problem a row for every finished solution, in the order of ``tree.terminals``."""
    found: dict[str, list[ProcessRow]] = {}
    waiting = iter(trees)

    async def one_after_another() -> None:
        for tree in waiting:
            found[tree.problem.id] = []  # in the order of the trees, whichever is done first
            make = partial(_row, tree, form=form, executor=executor)
            found[tree.problem.id] = await together(make(end, place) for place, end in enumerate(tree.terminals()))

    await together(one_after_another() for _ in range(AT_ONCE))
    return found


async def _row(tree: Tree, end: int, place: int, form: StepFormat, executor: Executor) -> ProcessRow:
    state = tree.state(end)
    wrong = await check_steps(composition_of(tree.problem.id), state, executor)
    return ProcessRow(
        f"{tree.problem.id}/{place}",
        tree.models.get("policy", ""),
        tree.problem.question,
        step_texts(form, state),
        grader().grade(tree.problem, tree.nodes[end].answer),
        NO_ERROR if wrong is None else wrong,
    )
