"""A scripted executor: the one ``run`` of the tests. A step's result comes from a function of the state and the step."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from search.data import Outcome, State, Step, StepStatus


def print_argument(state: State, step: Step) -> Step:
    """Print what stands in ``print(…)``, nothing without it; a step with the word ``raise`` ends in an exception."""
    if "raise" in step.code:
        return replace(step, output="ValueError: no", outcome=Outcome.EXCEPTION)
    return replace(step, output=step.code.partition("print(")[2].rstrip(")"), outcome=Outcome.OK)


def interpret(state: State, step: Step) -> Step:
    """Run the step's code in this process after that of the steps before it: only for code that a test wrote."""
    variables: dict[str, object] = {}
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            for before in state.steps:
                exec(before.code, variables)
        with contextlib.redirect_stdout(printed):
            exec(step.code, variables)
    except (NameError, ZeroDivisionError):
        return replace(step, outcome=Outcome.EXCEPTION, status=StepStatus.CODE_ERROR)
    return replace(step, output=printed.getvalue().strip(), outcome=Outcome.OK)


def refuse_code(state: State, step: Step) -> Step:
    """Fail: for solutions without code."""
    raise AssertionError(f"there should be no code: {step.code}")


@dataclass
class ScriptedExecutor:
    """An executor that returns ``run_step(state, step)`` for each step, without delay. ``runs`` counts the steps."""

    run_step: Callable[[State, Step], Step] = print_argument
    runs: int = 0

    async def run(self, state: State, steps: Sequence[Step]) -> list[Step]:
        self.runs += len(steps)
        return [self.run_step(state, step) for step in steps]
