"""Worked solutions in the code-augmented format, and the exact check of every step of anybody's solution.

Knows how a composition is solved step by step. Runs no model-written code: it compares what an executor found.
"""

from __future__ import annotations

from collections.abc import Sequence

from search.data import Outcome, Step, StepStatus
from search.formats.registry import ANSWER, END_OF_ANSWER, END_OF_CODE, END_OF_STEP
from search.problems.curriculum.compose import Composition
from search.problems.curriculum.templates import TOTAL

PRINT = f'print(f"{{{TOTAL}:g}}")'  # whole totals without a decimal point


def worked_solution(composition: Composition) -> tuple[Step, ...]:
    """A step a sentence of the question, a step that prints, and the answer.

    A step says its sentence again and computes it: a small model learns to copy a sentence and to translate it where it
    stands long before it learns to look a number up across the question. The step of an idle sentence only says it
    again, so that what comes next is always the next sentence, the end is where none is left, and no number of steps
    belongs to shallow problems.
    """
    steps = []
    for aside, fact in zip(composition.asides, composition.facts, strict=False):
        steps += [_step(_said(sentence)) for sentence in aside]
        steps.append(_step(f"{_said(fact.sentence)}\n{TOTAL} = {fact.code}"))
    steps += [_step(_said(sentence)) for sentence in composition.asides[-1]]
    answer, code = f"{composition.facts[-1].value}", PRINT
    steps.append(Step(f"{code}{END_OF_CODE}", code=code, output=answer, outcome=Outcome.OK))
    text = f"{ANSWER}\\boxed{{{answer}}}{END_OF_ANSWER}"
    return (*steps, Step(text, status=StepStatus.FINAL, answer=answer))


def _said(sentence: str) -> str:
    return f"# {sentence.rstrip('.')}"


def _step(code: str) -> Step:
    return Step(f"{code}{END_OF_STEP}", code=code, outcome=Outcome.OK)


def changes(totals: Sequence[object]) -> list[int]:
    """Indices of the steps that changed the total."""
    pairs = zip((None, *totals), totals, strict=False)
    return [index for index, (before, total) in enumerate(pairs) if total is not None and total != before]


def first_wrong(composition: Composition, totals: Sequence[object]) -> int | None:
    """Index of the first fact that is computed wrong or missing; None where all are right.

    ``totals`` holds what an executor found in the variable after each step, in order, None where there was none yet.
    Steps that leave the total as it was are idle: every fact changes it.
    """
    changed = [totals[index] for index in changes(totals)]
    for index, fact in enumerate(composition.facts):
        if index >= len(changed) or changed[index] != fact.value:
            return index
    return None if len(changed) == len(composition.facts) else len(composition.facts)
