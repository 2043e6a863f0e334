"""The step format "code": comments and Python, run step by step (rStar-Math, arXiv 2501.04519, section 3.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from search.data import Candidate, Finish, Problem, State, Step, StepStatus, Until
from search.formats.base import Segment, Source
from search.grading.extract import boxed_answer
from search.serialization import read_json_object

END_OF_STEP, END_OF_CODE, END_OF_ANSWER = "<end_of_step>", "<end_of_code>", "<end_of_answer>"
OUTPUT, END_OF_OUTPUT, ANSWER, CODE = "<output>", "<end_of_output>", "<answer>", "<code>"
USER, ASSISTANT = "<|user|>", "<|assistant|>"
CODE_TAGS = (CODE, END_OF_STEP, END_OF_CODE, OUTPUT, END_OF_OUTPUT, ANSWER, END_OF_ANSWER, USER, ASSISTANT)
AFTER_STEP = re.compile(f"(?<={END_OF_STEP})")
MAX_SHOWN_OUTPUT = 400  # characters of a program's output that the model gets to read


@dataclass(frozen=True, slots=True)
class CodeFormat:
    r"""Code-augmented steps: a comment that says what is done and the Python that does it.

    ``<code>``, steps that end in ``<end_of_step>``, a last one that prints and ends in ``<end_of_code>``; then the
    program's output in ``<output>…<end_of_output>`` and ``<answer>…\boxed{…}<end_of_answer>`` from the model. Each of
    them on lines of its own, and the line break after a tag is rendered with it: many tokenizers have ">" and a line
    break as one token, and a model goes on badly after a ">" that it has never seen alone.
    ``shots`` are worked examples put before the question for a model that was not trained on the format.
    ``outputs`` shows after every step what it printed; the policy, which may write many steps in one go, sees only
    what the whole program did.
    """

    shots: tuple[str, ...] = ()
    name: str = "code"
    separator: str = "\n"
    outputs: bool = False
    runs_code: ClassVar[bool] = True
    learnt_mark: ClassVar[str] = END_OF_STEP

    def is_known_to(self, directory: Path) -> bool:
        added = read_json_object(directory / "tokenizer.json").get("added_tokens", [])
        return any(token.get("content") == END_OF_STEP for token in added)

    def opening(self, label: str, number: int) -> str:
        return f"# {label}:"

    def prompt(self, problem: Problem) -> str:
        question = f"{USER}: {problem.question}\n{ASSISTANT}: {CODE}\n"
        return "\n\n".join((*self.shots, question))

    def segments(self, state: State) -> tuple[Segment, ...]:
        segments = [Segment(self.prompt(state.problem), Source.PROMPT)]
        for step in state.steps:
            ended = step.text.endswith((END_OF_STEP, END_OF_CODE, END_OF_OUTPUT))
            segments.append(Segment(step.text + "\n" if ended else step.text, Source.MODEL))
            if step.text.endswith(END_OF_CODE) or (self.outputs and ended and step.output.strip()):
                output = f"{OUTPUT}{step.output.strip()[:MAX_SHOWN_OUTPUT]}{END_OF_OUTPUT}\n"
                segments.append(Segment(output, Source.WORLD))
        return tuple(segments)

    def for_reward_model(self) -> CodeFormat:
        return replace(self, outputs=True)

    def concluding(self, state: State) -> bool:
        return bool(state.steps) and state.steps[-1].text.endswith(END_OF_CODE)

    def stops(self, state: State, until: Until) -> tuple[str, ...]:
        if self.concluding(state):
            return (END_OF_ANSWER,)
        if until is Until.STEP:
            return (END_OF_STEP, END_OF_CODE, END_OF_ANSWER)
        return (END_OF_CODE, END_OF_ANSWER)

    def parse(self, candidate: Candidate) -> tuple[Step, ...]:
        pieces = AFTER_STEP.split(candidate.text)
        return tuple(self._step(piece.removeprefix("\n"), candidate.finish) for piece in pieces if piece)

    def _step(self, text: str, finish: Finish) -> Step:
        if ANSWER in text or text.endswith(END_OF_ANSWER):
            answer = boxed_answer(text)
            status = StepStatus.NO_ANSWER if answer is None else StepStatus.FINAL
            return Step(text, status=status, answer=answer)
        code = text
        for tag in CODE_TAGS:
            code = code.replace(tag, "")
        if not text.endswith((END_OF_STEP, END_OF_CODE)) or not code.strip():
            return Step(text, code=code.strip("\n"), status=StepStatus.NO_ANSWER)
        return Step(text, code=code.strip("\n"))
