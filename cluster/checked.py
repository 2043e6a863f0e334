"""Solutions of curriculum problems with every step checked exactly, by running it again: as ProcessBench rows, as labels.

Knows trees and an executor; which step is wrong is search.curriculum's to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

from actors.sandbox.config import ExecutorConfig
from actors.sandbox.local import LocalExecutor
from search.curriculum import check_steps, composition_of, of_curriculum
from search.formats import StepFormat, step_texts
from search.grading import grader
from search.process_bench import NO_ERROR, ProcessRow
from search.protocols import Executor
from search.together import together
from search.tree import Tree
from search.types import Problem, StepLabels
from train.tree_labels import solutions

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


def labels(trees: Iterable[Tree], config: ExecutorConfig) -> list[StepLabels]:
    """What a person who errs never would say of the solutions that train.tree_labels chooses: 1 up to the first wrong
    step, -1 for that one. In the order of the trees."""

    async def check() -> list[StepLabels]:
        found: dict[int, list[StepLabels]] = {}
        async with LocalExecutor(config) as executor:
            waiting = enumerate(trees)

            async def one_after_another() -> None:
                for number, tree in waiting:
                    found[number] = await together(_labels(tree, end, executor) for end in solutions(tree))

            await together(one_after_another() for _ in range(AT_ONCE))
        return [one for number in sorted(found) for one in found[number]]

    return asyncio.run(check())


async def _labels(tree: Tree, end: int, executor: Executor) -> StepLabels:
    state = tree.state(end)
    wrong = await check_steps(composition_of(tree.problem.id), state, executor)
    signs = (1.0,) * (len(state.steps) if wrong is None else wrong) + (-1.0,) * (wrong is not None)
    return StepLabels(tree.problem, state.steps, signs)


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
