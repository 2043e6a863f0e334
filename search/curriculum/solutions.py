"""Worked solutions in the code-augmented format, and the exact check of every step of anybody's solution.

Knows how a composition is solved step by step. Runs no model-written code: it compares what an executor found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from search.curriculum.compose import Composition
from search.curriculum.templates import TOTAL
from search.formats import ANSWER, END_OF_ANSWER, END_OF_CODE, END_OF_STEP
from search.types import Outcome, Step, StepStatus


def worked_solution(composition: Composition) -> tuple[Step, ...]:
    """One step a fact, a step that prints, and the answer.

    A step says again what the question says of it and computes it: a small model learns to copy a sentence
    and to translate it where it stands long before it learns to look a number up across the question. Idle sentences
    are said again too, so what comes next is always the next sentence of the question, and the end is where none is left.
    """
    steps = []
    for aside, fact in zip(composition.asides, composition.facts, strict=False):
        code = _said((*aside, fact.sentence)) + f"{TOTAL} = {fact.code}"
        steps.append(Step(f"\n{code}{END_OF_STEP}", code=code, outcome=Outcome.OK))
    answer = f"{composition.facts[-1].value}"
    code = _said(composition.asides[-1]) + f"print({TOTAL})"
    steps.append(Step(f"\n{code}{END_OF_CODE}", code=code, output=answer, outcome=Outcome.OK))
    text = f"\n{ANSWER}\\boxed{{{answer}}}{END_OF_ANSWER}"
    return (*steps, Step(text, status=StepStatus.FINAL, answer=answer))


def _said(sentences: Iterable[str]) -> str:
    return "".join(f"# {sentence.rstrip('.')}\n" for sentence in sentences)


def first_wrong(composition: Composition, totals: Sequence[object]) -> int | None:
    """Index of the first step after which the total is wrong or missing; None where all are right.

    ``totals`` holds what an executor found in the variable after each step, in order.
    """
    for index, fact in enumerate(composition.facts):
        if index >= len(totals) or totals[index] != fact.value:
            return index
    return None
