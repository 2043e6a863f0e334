"""The step format "code": comments and Python, run step by step (rStar-Math, arXiv 2501.04519, section 3.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar

from search.data import Candidate, Finish, State, Step, StepStatus, Until
from search.formats.base import Segment, Source
from search.formats.turns import lay_out
from search.grading.extract import boxed_answer

END_OF_STEP, END_OF_CODE, END_OF_ANSWER = "<end_of_step>", "<end_of_code>", "<end_of_answer>"
OUTPUT, END_OF_OUTPUT, ANSWER, CODE = "<output>", "<end_of_output>", "<answer>", "<code>"
USER, ASSISTANT = "<|user|>", "<|assistant|>"
# How a turn of the user and the model's turn after it begin. The second is that of rStar-Math's released code and models.
PROMPT = f"{USER}: {{}}\n{ASSISTANT}: "
RELEASED_PROMPT = f"{USER}:\n{{}}\n{ASSISTANT}: Let's think step by step and solve the problem with code."
CODE_TAGS = (CODE, END_OF_STEP, END_OF_CODE, OUTPUT, END_OF_OUTPUT, ANSWER, END_OF_ANSWER, USER, ASSISTANT)
ENDS = (END_OF_STEP, END_OF_CODE, END_OF_OUTPUT)
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
    what the whole program did. ``released`` is the prompt of rStar-Math's released models ("code_released").
    """

    shots: tuple[str, ...] = ()
    name: str = "code"
    separator: str = "\n"
    outputs: bool = False
    _: KW_ONLY
    released: bool = False
    runs_code: ClassVar[bool] = True
    begins_in_thinking: ClassVar[bool] = False
    turn_end: ClassVar[str] = ""
    tags: ClassVar[tuple[str, ...]] = CODE_TAGS

    def opening(self, label: str, number: int) -> str:
        return f"# {label}:"

    def segments(self, state: State) -> tuple[Segment, ...]:
        return tuple(self._segments(state))

    def _segments(self, state: State) -> Iterator[Segment]:
        turns = lay_out(state)
        requests = [turns.question, *(exchange.request for exchange in turns.exchanges)]
        opened = [self._turn(request) for request in requests]
        if turns.is_judgement:  # the last response is in words
            opened[-1] = f"{USER}: {requests[-1]}\n{ASSISTANT}:"
        shots = () if turns.is_judgement else self.shots
        yield Segment("\n\n".join((*shots, opened[0])), Source.PROMPT, (requests[0],))
        for exchange, request, text in zip(turns.exchanges, requests[1:], opened[1:], strict=True):
            yield from (replace(segment, source=Source.PROMPT) for segment in self._steps(exchange.attempt))
            yield from self._steps(exchange.steps)
            ended = exchange.text.endswith((*ENDS, "\n"))
            yield Segment(text if ended else f"\n{text}", Source.PROMPT, (request,))
        yield from self._steps(turns.steps)

    def _turn(self, request: str) -> str:
        """Return a turn of the user and the beginning of a program that answers it."""
        prompt = RELEASED_PROMPT if self.released else PROMPT
        return f"{prompt.format(request)}{CODE}\n"

    def _steps(self, steps: tuple[Step, ...]) -> Iterator[Segment]:
        """Yield a MODEL segment a step, and a WORLD segment after those whose output is shown."""
        for step in steps:
            ended = step.text.endswith(ENDS)
            yield Segment.of_step(step, "\n" if ended else "")
            if step.text.endswith(END_OF_CODE) or (self.outputs and ended and step.output.strip()):
                output = step.output.strip()[:MAX_SHOWN_OUTPUT]
                yield Segment(f"{OUTPUT}{output}{END_OF_OUTPUT}\n", Source.WORLD, (output,) if output else ())

    def for_reward_model(self) -> CodeFormat:
        return replace(self, outputs=True, shots=())

    def concluding(self, state: State) -> bool:
        return bool(state.steps) and state.steps[-1].text.endswith(END_OF_CODE)

    def stops(self, state: State, until: Until) -> tuple[str, ...]:
        if self.concluding(state):
            return (END_OF_ANSWER,)
        if until is Until.STEP:
            return (END_OF_STEP, END_OF_CODE, END_OF_ANSWER)
        return (END_OF_CODE, END_OF_ANSWER)

    def parse(self, candidate: Candidate, state: State | None = None) -> tuple[Step, ...]:
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
