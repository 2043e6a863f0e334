"""Check every step of solutions of curriculum problems exactly, by running it again.

The results are ProcessBench rows, or step labels to learn from.
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
from search.formats.base import StepFormat, step_texts
from search.grading.grader import grader
from search.problems.curriculum import check_steps, composition_of, is_from_curriculum
from search.protocols import Executor
from search.tree import Tree
from train.labels.tree_labels import labelled_solutions

T = TypeVar("T")

CONCURRENT_TREES = 8


def is_checkable(problem: Problem, step_format: StepFormat) -> bool:
    """Return whether the steps of this problem's solutions can be checked: curriculum problems, steps as programs."""
    return step_format.runs_code and is_from_curriculum(problem)


async def process_rows(
    trees: Iterable[Tree], step_format: StepFormat, executor: Executor
) -> dict[str, list[ProcessRow]]:
    """Return by name of the tree one row per finished solution, in the order of ``tree.terminals``."""

    def rows_of_tree(tree: Tree) -> Iterable[Coroutine[Any, Any, ProcessRow]]:
        return (
            _process_row(tree, terminal, index, step_format, executor)
            for index, terminal in enumerate(tree.terminals())
        )

    return dict(await _map_trees(trees, rows_of_tree))


def step_labels(trees: Iterable[Tree], config: ExecutorConfig) -> list[StepLabels]:
    """Return exact labels of the solutions that ``train.labels.tree_labels`` chooses, in the order of the trees.

    They are what an infallible person would say: 1 before the first incorrect step, -1 for that step.
    """

    async def check() -> list[StepLabels]:
        async with LocalExecutor(config) as executor:
            labelled = await _map_trees(
                trees, lambda tree: (_step_labels(tree, terminal, executor) for terminal in labelled_solutions(tree))
            )
        return [labels for _, of_tree in labelled for labels in of_tree]

    return asyncio.run(check())


async def _map_trees(
    trees: Iterable[Tree], coroutines_of: Callable[[Tree], Iterable[Coroutine[Any, Any, T]]]
) -> list[tuple[str, list[T]]]:
    """Return (name, results of the tree's coroutines) in the order of the trees, CONCURRENT_TREES at a time."""
    results: dict[int, tuple[str, list[T]]] = {}
    remaining = enumerate(trees)

    async def run_in_turn() -> None:
        for number, tree in remaining:
            results[number] = (tree.name, await gather_or_cancel(coroutines_of(tree)))

    await gather_or_cancel(run_in_turn() for _ in range(CONCURRENT_TREES))
    return [results[number] for number in sorted(results)]


async def _step_labels(tree: Tree, terminal: int, executor: Executor) -> StepLabels:
    state = tree.state(terminal)
    first_error = await check_steps(composition_of(tree.problem.id), state, executor)
    correct_steps = len(state.steps) if first_error is None else first_error
    labels = (1.0,) * correct_steps + (-1.0,) * (first_error is not None)
    return StepLabels(tree.problem, state.steps, labels=labels)


async def _process_row(
    tree: Tree, terminal: int, index: int, step_format: StepFormat, executor: Executor
) -> ProcessRow:
    state = tree.state(terminal)
    first_error = await check_steps(composition_of(tree.problem.id), state, executor)
    return ProcessRow(
        id=f"{tree.name}/{index}",
        generator=tree.models.get("policy", ""),
        problem=tree.problem.question,
        steps=step_texts(step_format, state),
        final_answer_correct=grader().grade(tree.problem, tree.nodes[terminal].answer),
        label=NO_ERROR if first_error is None else first_error,
    )
