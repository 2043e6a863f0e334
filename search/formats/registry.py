"""Step formats: how a state becomes text for a model, and how a model's text becomes steps. Nothing else knows tags.

A state is rendered as *segments*: the prompt, then each step as the model wrote it, and what the world answered in
between. Segments are tokenised one by one and their ids are concatenated, for the policy, the reward model and training
alike, so a step's last token is the last token of its segment whatever the tokenizer would merge across the boundary.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from search.data import Candidate, Finish, Outcome, Problem, State, Step, StepStatus, Until

BOXED = re.compile(r"\\boxed\s*\{")


class Source(StrEnum):
    """Who wrote a segment. Training puts loss on what the MODEL wrote only."""

    PROMPT = "prompt"
    MODEL = "model"
    WORLD = "world"


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of text that is tokenised by itself."""

    text: str
    source: Source


class StepFormat(Protocol):
    """Text conventions between a search and a model. ``shots`` are worked examples put before every question."""

    @property
    def name(self) -> str: ...

    @property
    def shots(self) -> tuple[str, ...]: ...

    @property
    def separator(self) -> str:
        """What ends every step but the last in a model's text and is no part of what the step says."""
        ...

    def segments(self, state: State) -> tuple[Segment, ...]:
        """The prompt, then a MODEL segment a step (and a WORLD segment after it, if any), as the model sees them."""
        ...

    def for_reward_model(self) -> StepFormat:
        """The same, as a reward model reads it: with whatever the world answered, also what the policy is not shown."""
        ...

    def stops(self, state: State, until: Until) -> tuple[str, ...]:
        """Strings at which a continuation of ``state`` must stop."""
        ...

    def concluding(self, state: State) -> bool:
        """Whether all that is left to do is to state the answer: one candidate is enough there."""
        ...

    def parse(self, candidate: Candidate) -> tuple[Step, ...]:
        """The steps in a candidate; the last one is terminal where the text does not end as a step should."""
        ...


def boxed_answer(text: str) -> str | None:
    r"""Content of the last ``\boxed{…}``, braces balanced; None without one. ``r'\boxed{\frac{1}{2}}'`` → ``\frac{1}{2}``."""
    starts = list(BOXED.finditer(text))
    if not starts:
        return None
    depth, begin = 1, starts[-1].end()
    for position in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[begin:position].strip() or None
    return None


END_OF_STEP, END_OF_CODE, END_OF_ANSWER = "<end_of_step>", "<end_of_code>", "<end_of_answer>"
OUTPUT, END_OF_OUTPUT, ANSWER, CODE = "<output>", "<end_of_output>", "<answer>", "<code>"
USER, ASSISTANT = "<|user|>", "<|assistant|>"
CODE_TAGS = (CODE, END_OF_STEP, END_OF_CODE, OUTPUT, END_OF_OUTPUT, ANSWER, END_OF_ANSWER, USER, ASSISTANT)
AFTER_STEP = re.compile(f"(?<={END_OF_STEP})")
MAX_SHOWN_OUTPUT = 400  # characters of a program's output that the model gets to read


@dataclass(frozen=True, slots=True)
class CodeFormat:
    r"""Code-augmented steps (rStar-Math, section 3.1): a comment that says what is done and the Python that does it.

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


@dataclass(frozen=True, slots=True)
class PlainFormat:
    r"""Steps in words: ``Step k: …`` and a blank line; the last step carries ``\boxed{…}``. For models that do not write code."""

    shots: tuple[str, ...] = ()
    name: str = "plain"
    separator: str = "\n\n"

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


FORMATS: dict[str, type[CodeFormat] | type[PlainFormat]] = {"code": CodeFormat, "plain": PlainFormat}


def step_format(name: str, shots: tuple[str, ...] = ()) -> StepFormat:
    """The format called ``name``; KeyError lists the known names."""
    if name not in FORMATS:
        raise KeyError(f"unknown step format {name!r}: one of {', '.join(sorted(FORMATS))}")
    return FORMATS[name](shots=shots)


def step_texts(form: StepFormat, state: State) -> tuple[str, ...]:
    """The steps of a state as texts, for files that know no formats: each as written, then what the world answered.

    The separator that ends a step is left out.
    """
    texts: list[str] = []
    for segment in form.for_reward_model().segments(state):
        if segment.source is Source.MODEL:
            texts.append(segment.text)
        elif segment.source is Source.WORLD:
            texts[-1] += segment.text
    return tuple(text.removesuffix(form.separator) for text in texts)


def steps_of_texts(form: StepFormat, texts: Sequence[str]) -> tuple[Step, ...]:
    """Steps for a judge to read, from texts of a file: the inverse of ``step_texts`` as far as a model sees it.

    They are to be looked at, not to be run: what the world answered is a part of the text.
    """
    ended = [text if text.endswith(form.separator) else text + form.separator for text in texts[:-1]]
    return tuple(Step(text) for text in (*ended, *texts[-1:]))
