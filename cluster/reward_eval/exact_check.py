"""Solutions of curriculum problems with every step checked exactly, by running it again: as ProcessBench rows, as labels.

Knows trees and an executor; which step is wrong is search.problems.curriculum's to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from actors.sandbox.client.executor import LocalExecutor
from actors.sandbox.config import ExecutorConfig
from search.concurrency import gather_or_cancel
from search.data import Problem, StepLabels
from search.evaluation.process_bench import NO_ERROR, ProcessRow
from search.formats.registry import StepFormat, step_texts
from search.grading.grader import grader
from search.problems.curriculum import check_steps, composition_of, of_curriculum
from search.protocols import Executor
from search.tree import Tree
from train.labels.tree_labels import solutions

Found = TypeVar("Found")

AT_ONCE = 8  # trees whose solutions are run side by side


def checkable(problem: Problem, form: StepFormat) -> bool:
    """Whether the steps of this problem's solutions can be checked: it is the curriculum's, and they are programs."""
    return form.name == "code" and of_curriculum(problem)


async def rows(trees: Iterable[Tree], form: StepFormat, executor: Executor) -> dict[str, list[ProcessRow]]:
    """For each tree's problem a row for every finished solution, in the order of ``tree.terminals``."""

    def of_tree(tree: Tree) -> Iterable[Coroutine[Any, Any, ProcessRow]]:
        return (_row(tree, end, place, form, executor) for place, end in enumerate(tree.terminals()))

    return dict(await _checked(trees, of_tree))


def labels(trees: Iterable[Tree], config: ExecutorConfig) -> list[StepLabels]:
    """What a person who errs never would say of the solutions that train.labels.tree_labels chooses: 1 up to the first wrong
    step, -1 for that one. In the order of the trees."""

    async def check() -> list[StepLabels]:
        async with LocalExecutor(config) as executor:
            found = await _checked(trees, lambda tree: (_labels(tree, end, executor) for end in solutions(tree)))
        return [one for _, of_tree in found for one in of_tree]

    return asyncio.run(check())


async def _checked(
    trees: Iterable[Tree], of_tree: Callable[[Tree], Iterable[Coroutine[Any, Any, Found]]]
) -> list[tuple[str, list[Found]]]:
    """What comes of each tree's coroutines, by its problem's id: AT_ONCE trees side by side, in the order of the trees."""
    found: dict[int, tuple[str, list[Found]]] = {}
    waiting = enumerate(trees)

    async def one_after_another() -> None:
        for number, tree in waiting:
            found[number] = (tree.problem.id, await gather_or_cancel(of_tree(tree)))

    await gather_or_cancel(one_after_another() for _ in range(AT_ONCE))
    return [found[number] for number in sorted(found)]


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
