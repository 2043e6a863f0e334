"""How a state becomes text for a model, and how a model's text becomes steps: what every step format answers.

A state is rendered as *segments*: the prompt, then each step as the model wrote it, and what the world answered in
between. Segments are tokenised one by one and their ids are concatenated, for the policy, the reward model and training
alike, so a step's last token is the last token of its segment whatever the tokenizer would merge across the boundary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from search.data import Candidate, State, Step, Until


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

    @property
    def runs_code(self) -> bool:
        """Whether steps are programs, so that an exact check can run them again."""
        ...

    @property
    def learnt_mark(self) -> str:
        """What the tokenizer of a model has that was trained on the format."""
        ...

    def is_known_to(self, directory: Path) -> bool:
        """Return whether the tokenizer in a model directory has the ``learnt_mark``."""
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

    def parse(self, candidate: Candidate) -> tuple[Step, ...]:
        """Return the steps in a candidate; the last one is terminal where the text does not end as a step should."""
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
