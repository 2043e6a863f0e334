"""Tokenise states.

Every segment of a state is tokenised by itself and the ids are concatenated, as policy and reward model engines do. So the
position of a step's last token never depends on what follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from search.data import State
from search.formats.base import Source, StepFormat

Tokenise = Callable[[list[str]], list[list[int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A state in tokens.

    Attributes:
        tokens: [T] ids.
        is_generated: [T] whether the model wrote the token.
        prompt: number of tokens before the first step.
        ends: [steps] position of each step's last token: of its own text, or of the output of its code. A reward model
            reads the state that ends with this step there.
    """

    tokens: list[int]
    is_generated: list[bool]
    prompt: int
    ends: list[int]

    @property
    def has_no_empty_step(self) -> bool:
        """True if every step has at least one token, and so an end of its own."""
        previous_ends = [self.prompt - 1, *self.ends]
        return all(a < b for a, b in zip(previous_ends, self.ends, strict=False))


@dataclass(slots=True)
class Encoder:
    """Tokenises states segment by segment; equal segments are tokenised once."""

    tokenise: Tokenise
    format: StepFormat
    eos_id: int
    cache: dict[str, list[int]] = field(default_factory=dict)

    def tokenise_segments(self, states: Sequence[State]) -> None:
        """Tokenise all segments of ``states`` in one call, for ``encode``."""
        texts = {segment.text for state in states for segment in self.format.segments(state)} - self.cache.keys()
        unique = sorted(texts)
        if unique:
            self.cache.update(zip(unique, self.tokenise(unique), strict=True))

    def encode(self, state: State, end: bool) -> Encoded:
        """Encode a state whose segments were tokenised; with ``end``, the end-of-sequence token follows an answer."""
        tokens: list[int] = []
        is_generated: list[bool] = []
        ends: list[int] = []
        prompt = 0
        for segment in self.format.segments(state):
            ids = self.cache[segment.text]
            tokens.extend(ids)
            is_generated.extend([segment.source is Source.MODEL] * len(ids))
            if segment.source is Source.MODEL:
                ends.append(len(tokens) - 1)
            elif ends:
                ends[-1] = len(tokens) - 1
            else:
                prompt = len(tokens)
        if end and state.steps and state.steps[-1].answer is not None:
            tokens.append(self.eos_id)
            is_generated.append(True)
        return Encoded(tokens=tokens, is_generated=is_generated, prompt=prompt, ends=ends)
