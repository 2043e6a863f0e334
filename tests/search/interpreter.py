"""An executor for code that the tests wrote."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

from search.data import Outcome, State, Step, StepStatus


@dataclass
class Interpreter:
    """Runs a step's code after the code of the steps before it; only for code of the tests."""

    runs: int = 0

    async def run(self, state: State, steps: Sequence[Step]) -> list[Step]:
        return [self.run_step(state, step) for step in steps]

    def run_step(self, state: State, step: Step) -> Step:
        self.runs += 1
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
