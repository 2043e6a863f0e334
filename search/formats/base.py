"""How a state becomes text for a model, and how a model's text becomes steps: what every step format answers.

A state is rendered as *segments*: the prompt, then each step as the model wrote it, and what the world answered in
between. Segments are tokenised one by one and their ids are concatenated, for the policy, the reward model and training
alike, so a step's last token is the last token of its segment whatever the tokenizer would merge across the boundary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from search.data import Candidate, State, Step, Until


class Source(StrEnum):
    """Who wrote a segment. Training puts loss on what the MODEL wrote only."""

    PROMPT = "prompt"
    MODEL = "model"
    WORLD = "world"


# What is sent to engines and to the tokenizer: a text, a text and its literals (``Segment.literals``), or a text that a
# policy wrote and (the ids that were drawn for it but for its suffix, the suffix). Plain tuples are pickled fastest.
Piece: TypeAlias = str | tuple[str, ...] | tuple[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of text that is tokenised by itself.

    ``literals`` are the parts of ``text`` that come from outside, in their order: a question, a program's output. What
    looks like a special token in them is plain text. ``drawn_ids`` are those of the text but for its ``suffix``.
    """

    text: str
    source: Source
    literals: tuple[str, ...] = ()
    _: KW_ONLY
    drawn_ids: str = ""
    suffix: str = ""

    @classmethod
    def of_step(cls, step: Step, suffix: str = "") -> Segment:
        """Return the segment of a step as the policy wrote it, and a suffix that the format adds."""
        text, drawn_ids = step.text + suffix, step.drawn_ids
        return cls(text, Source.MODEL, drawn_ids=drawn_ids, suffix=suffix if drawn_ids else "")

    @property
    def piece(self) -> Piece:
        if self.drawn_ids:
            return self.text, (self.drawn_ids, self.suffix)
        return (self.text, *self.literals) if self.literals else self.text


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

    @property
    def runs_code(self) -> bool:
        """Whether steps are programs, so that an exact check can run them again."""
        ...

    @property
    def begins_in_thinking(self) -> bool:
        """Whether a model's turn begins with a block of thinking (search/formats/thinking.py)."""
        ...

    @property
    def turn_end(self) -> str:
        """The token that ends a model's turn in this format; empty: the tokenizer's end-of-sequence token."""
        ...

    @property
    def tags(self) -> tuple[str, ...]:
        """The format's own marks in a text, which training can make tokens."""
        ...

    def segments(self, state: State) -> tuple[Segment, ...]:
        """Return the prompt, then a MODEL segment a step (and a WORLD segment after it, if any), as the model sees them."""
        ...

    def for_reward_model(self) -> StepFormat:
        """Return the format as a reward model reads it: with world answers that the policy is not shown."""
        ...

    def opening(self, label: str, number: int) -> str:
        """Return how step ``number`` (from 1) begins under a label such as "In other words".

        It does not end in a space: models write that with the word that follows.
        """
        ...

    def stops(self, state: State, until: Until) -> tuple[str, ...]:
        """Return the strings at which a continuation of ``state`` must stop."""
        ...

    def concluding(self, state: State) -> bool:
        """Return whether the next step can only state the answer: one candidate is enough there."""
        ...

    def parse(self, candidate: Candidate, state: State | None = None) -> tuple[Step, ...]:
        """Return the steps in a candidate that continues ``state``; none in one that says nothing.

        The last one is terminal where the solution ends: with an answer, or as no step should.
        """
        ...


def step_texts(form: StepFormat, state: State) -> tuple[str, ...]:
    """Return the steps of a state as texts for a file: each as written, then what the world answered.

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
    """Return steps for a reward model to read, from texts of a file: the inverse of ``step_texts`` as far as a model sees.

    They cannot be run: what the world answered is a part of the text.
    """
    ended = [text if text.endswith(form.separator) else text + form.separator for text in texts[:-1]]
    return tuple(Step(text) for text in (*ended, *texts[-1:]))
