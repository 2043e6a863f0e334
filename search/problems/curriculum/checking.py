"""The first wrong step of anybody's solution of a curriculum problem, exact: what other labels are measured against.

Looks at the total after every step and at what the last steps say. Knows nothing of labels.
"""

from __future__ import annotations

from collections.abc import Sequence

from search.concurrency import gather_or_cancel
from search.data import Outcome, State, Step
from search.formats.registry import END_OF_CODE
from search.grading.answers import canonical
from search.problems.curriculum.compose import Composition
from search.problems.curriculum.solutions import changes, first_wrong
from search.problems.curriculum.templates import TOTAL
from search.protocols import Executor

PROBE = Step(f"print({TOTAL})", code=f"print({TOTAL})")


async def check_steps(composition: Composition, solution: State, executor: Executor) -> int | None:
    """``first_wrong_step`` of a solution whose code ``executor`` runs again."""
    return first_wrong_step(composition, solution.steps, await totals(solution, executor))


async def totals(solution: State, executor: Executor) -> list[object]:
    """The total after each step, None where there is none: yet, or because the code does not run."""
    ends = range(1, len(solution.steps) + 1)
    probed = await gather_or_cancel(
        executor.run(State(solution.problem, solution.steps[:end]), [PROBE]) for end in ends
    )
    return [_value(step.output) if step.outcome is Outcome.OK else None for (step,) in probed]


def first_wrong_step(composition: Composition, steps: Sequence[Step], found: Sequence[object]) -> int | None:
    """Index of the first wrong step; None where none is wrong so far. ``found`` has the total after each step.

    A step is wrong that changes the total to what the next fact does not say. Where facts are missing, the step is
    wrong that ends the reasoning without them: it prints, fails or answers. Where all are there, one that ends it with
    something else than the last total.
    """
    changed, fact = changes(found), first_wrong(composition, found)
    if fact is not None and fact < len(changed):
        return changed[fact]
    right = str(composition.facts[-1].value) if fact is None else None
    begin = changed[-1] if changed else 0
    for index, step in enumerate(steps[begin:], begin):
        said = _result(step)
        if said is not None and canonical(said) != right:
            return index
    return None


def _result(step: Step) -> str | None:
    """What a step ends the reasoning with, empty for a failure; None for a step after which it goes on."""
    if step.terminal:
        return step.answer or ""
    return step.output if step.text.endswith(END_OF_CODE) else None


def _value(printed: str) -> object:
    for read in (int, float):
        try:
            return read(printed)
        except ValueError:
            continue
    return printed
