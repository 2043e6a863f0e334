"""Worked solutions in the code-augmented format, and the exact check of the totals of any solution."""

from __future__ import annotations

from collections.abc import Sequence

from search.data import Outcome, Step, StepStatus
from search.formats.code_format import ANSWER, END_OF_ANSWER, END_OF_CODE, END_OF_STEP
from search.problems.curriculum.compose import Composition
from search.problems.curriculum.templates import TOTAL

PRINT = f'print(f"{{{TOTAL}:g}}")'  # whole totals without a decimal point


def worked_solution(composition: Composition) -> tuple[Step, ...]:
    """Return one step per sentence of the question, a step that prints the total, and the answer.

    A step repeats its sentence as a comment and computes it: a small model learns to copy a sentence and translate it in
    place long before it learns to look a number up across the question. The step of a distractor only repeats it. So the
    next step is always the next sentence, the solution ends after the last one, and the number of steps does not
    tell a shallow problem from a deep one.
    """
    steps = []
    for before, fact in zip(composition.distractors, composition.facts, strict=False):
        steps += [_step(_as_comment(sentence)) for sentence in before]
        steps.append(_step(f"{_as_comment(fact.sentence)}\n{TOTAL} = {fact.code}"))
    steps += [_step(_as_comment(sentence)) for sentence in composition.distractors[-1]]
    answer, code = f"{composition.facts[-1].value}", PRINT
    steps.append(Step(f"{code}{END_OF_CODE}", code=code, output=answer, outcome=Outcome.OK))
    text = f"{ANSWER}\\boxed{{{answer}}}{END_OF_ANSWER}"
    return (*steps, Step(text, status=StepStatus.FINAL, answer=answer))


def _as_comment(sentence: str) -> str:
    return f"# {sentence.rstrip('.')}"


def _step(code: str) -> Step:
    return Step(f"{code}{END_OF_STEP}", code=code, outcome=Outcome.OK)


def changed_steps(totals: Sequence[object]) -> list[int]:
    """Return the indices of the steps that changed the total."""
    pairs = zip((None, *totals), totals, strict=False)
    return [index for index, (before, total) in enumerate(pairs) if total is not None and total != before]


def first_incorrect_fact(composition: Composition, totals: Sequence[object]) -> int | None:
    """Return the index of the first fact that is missing or has another total; None if all are correct.

    ``totals``: the value of the total after each step, None if there is none yet. Steps that do not change it belong to
    distractors, because every fact changes it.
    """
    changed = [totals[index] for index in changed_steps(totals)]
    for index, fact in enumerate(composition.facts):
        if index >= len(changed) or changed[index] != fact.value:
            return index
    return None if len(changed) == len(composition.facts) else len(composition.facts)
