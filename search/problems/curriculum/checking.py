"""Exact check of the steps of any solution of a curriculum problem, which other labels are measured against.

It compares the total after every step with the facts, and the end of the solution with the last total.
"""

from __future__ import annotations

from collections.abc import Sequence

from search.concurrency import gather_or_cancel
from search.data import Outcome, State, Step
from search.formats.code_format import END_OF_CODE
from search.grading.voting import canonical
from search.problems.curriculum.compose import Composition
from search.problems.curriculum.solutions import changed_steps, first_incorrect_fact
from search.problems.curriculum.templates import TOTAL
from search.protocols import Executor

PROBE = Step(f"print({TOTAL})", code=f"print({TOTAL})")


async def check_steps(composition: Composition, solution: State, executor: Executor) -> int | None:
    """Run a solution again and return the index of its first incorrect step, or None."""
    return first_incorrect_step(composition, solution.steps, await totals_after_steps(solution, executor))


async def totals_after_steps(solution: State, executor: Executor) -> list[object]:
    """Return the total after each step; None if there is none yet or the code failed."""
    ends = range(1, len(solution.steps) + 1)
    probed = await gather_or_cancel(
        executor.run(State(solution.problem, solution.steps[:end]), [PROBE]) for end in ends
    )
    return [_value(step.output) if step.outcome is Outcome.OK else None for (step,) in probed]


def first_incorrect_step(composition: Composition, steps: Sequence[Step], totals: Sequence[object]) -> int | None:
    """Return the index of the first incorrect step, or None. ``totals`` are those after each step.

    A step is incorrect if it changes the total to another value than the next fact's. If facts are missing, the step that
    ends the reasoning (prints, fails or answers) is incorrect. If none is missing, a step that ends it with anything else
    than the last total is.
    """
    changed, fact = changed_steps(totals), first_incorrect_fact(composition, totals)
    if fact is not None and fact < len(changed):
        return changed[fact]
    answer = str(composition.facts[-1].value) if fact is None else None
    begin = changed[-1] if changed else 0
    for index, step in enumerate(steps[begin:], begin):
        stated = _stated_result(step)
        if stated is not None and canonical(stated) != answer:
            return index
    return None


def _stated_result(step: Step) -> str | None:
    """Return the result with which a step ends the reasoning, empty for a failure; None if the solution continues."""
    if step.is_terminal:
        return step.answer or ""
    return step.output if step.text.endswith(END_OF_CODE) else None


def _value(printed: str) -> object:
    for read in (int, float):
        try:
            return read(printed)
        except ValueError:
            continue
    return printed
