"""The step format "plain": steps in words, for models that do not write code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from search.data import Candidate, Finish, Outcome, State, Step, StepStatus, Until
from search.formats.base import Segment, Source
from search.grading.extract import boxed_answer
from search.serialization import read_json_object


@dataclass(frozen=True, slots=True)
class PlainFormat:
    r"""Steps in words: ``Step k: …`` and a blank line; the last step carries ``\boxed{…}``. For models that do not write code."""

    shots: tuple[str, ...] = ()
    name: str = "plain"
    separator: str = "\n\n"
    runs_code: ClassVar[bool] = False
    learnt_mark: ClassVar[str] = "chat template"

    def is_known_to(self, directory: Path) -> bool:
        in_config = "chat_template" in read_json_object(directory / "tokenizer_config.json")
        return in_config or (directory / "chat_template.jinja").exists()

    def opening(self, label: str, number: int) -> str:
        return f"Step {number}: {label}:"

    def segments(self, state: State) -> tuple[Segment, ...]:
        question = (
            f"Question: {state.problem.question}\n"
            "Answer step by step, a blank line after each step, the final answer in \\boxed{}.\n\n"
        )
        prompt = Segment("".join((*self.shots, question)), Source.PROMPT)
        return (prompt, *(Segment(step.text, Source.MODEL) for step in state.steps))

    def for_reward_model(self) -> PlainFormat:
        return self

    def concluding(self, state: State) -> bool:
        return False

    def stops(self, state: State, until: Until) -> tuple[str, ...]:
        return ("\n\n", "\nQuestion:") if until is Until.STEP else ("\nQuestion:",)

    def parse(self, candidate: Candidate) -> tuple[Step, ...]:
        pieces = [piece for piece in re.split(r"(?<=\n\n)", candidate.text) if piece.strip()]
        steps: list[Step] = []
        for piece in pieces:
            answer = boxed_answer(piece)
            if answer is not None:
                return (*steps, Step(piece, status=StepStatus.FINAL, answer=answer, outcome=Outcome.NOT_RUN))
            steps.append(Step(piece))
        if not steps or candidate.finish is not Finish.STOP:
            steps.append(Step(steps.pop().text if steps else "", status=StepStatus.NO_ANSWER))
        return tuple(steps)
