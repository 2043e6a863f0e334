"""Worked solutions in the code-augmented format, and the exact check of every step of anybody's solution.

Knows how a composition is solved step by step. Runs no model-written code: it compares what an executor found.
"""

from __future__ import annotations

from search.curriculum.compose import Composition, variable
from search.formats import ANSWER, END_OF_ANSWER, END_OF_CODE, END_OF_STEP
from search.types import Outcome, Step, StepStatus


def worked_solution(composition: Composition) -> tuple[Step, ...]:
    """One step a fact, a step that prints, and the answer.

    A step says again what the question says of its quantity and computes it: a small model learns to copy a sentence
    and to translate it where it stands long before it learns to look a number up across the question.
    """
    steps = []
    for fact in composition.facts:
        code = f"# {fact.sentence.rstrip('.')}\n{variable(fact.name)} = {fact.code}"
        steps.append(Step(f"\n{code}{END_OF_STEP}", code=code, outcome=Outcome.OK))
    last = composition.facts[-1]
    code = f"# Now print the final answer\nprint({variable(last.name)})"
    steps.append(Step(f"\n{code}{END_OF_CODE}", code=code, output=f"{last.value}", outcome=Outcome.OK))
    answer = f"{last.value}"
    text = f"\n{ANSWER}\\boxed{{{answer}}}{END_OF_ANSWER}"
    return (*steps, Step(text, status=StepStatus.FINAL, answer=answer))


def first_wrong(composition: Composition, variables: dict[str, object]) -> str | None:
    """The first quantity, in order, that ``variables`` (name -> value after running the code) has wrong or lacks."""
    for fact in composition.facts:
        if variables.get(variable(fact.name)) != fact.value:
            return fact.name
    return None
