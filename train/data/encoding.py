"""Tokenise states, with ``search.tokens`` as policy and reward model engines do.

Every segment of a state is tokenised by itself and the ids are concatenated. So the position of a step's last token never
depends on what follows it.
"""

from __future__ import annotations

from dataclasses import dataclass

from search.data import State
from search.formats.base import Source, StepFormat
from search.tokens import TokenEncoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A state in tokens.

    Attributes:
        tokens: [T] ids.
        is_generated: [T] whether the model wrote the token.
        prompt: number of tokens before the first step, BOS included.
        ends: [steps] position of each step's last token: of its own text, or of the output of its code. A reward model
            reads the state that ends with this step there.
    """

    tokens: list[int]
    is_generated: list[bool]
    prompt: int
    ends: list[int]

    @property
    def is_empty(self) -> list[bool]:
        """[steps] whether a step has no token, and so no end of its own: thinking, say, that a reward model is not shown."""
        previous_ends = [self.prompt - 1, *self.ends]
        return [end == previous for previous, end in zip(previous_ends, self.ends, strict=False)]


@dataclass(frozen=True, slots=True)
class Encoder:
    """Tokenises states as a step format renders them. ``end_id`` is the token that ends a solution."""

    tokens: TokenEncoder
    format: StepFormat
    end_id: int

    def encode(self, state: State, end: bool) -> Encoded:
        """Encode a state; with ``end``, ``end_id`` follows an answer."""
        tokens: list[int] = []
        is_generated: list[bool] = []
        ends: list[int] = []
        prompt = 0
        segments = self.format.segments(state)
        by_piece = self.tokens.ids_by_piece([segment.piece for segment in segments])
        for segment, ids in zip(segments, by_piece, strict=True):
            tokens.extend(ids)
            is_generated.extend([segment.source is Source.MODEL] * len(ids))
            if segment.source is Source.MODEL:
                ends.append(len(tokens) - 1)
            elif segment.source is Source.WORLD and ends:
                ends[-1] = len(tokens) - 1
            elif not ends:
                prompt = len(tokens)
        if end and state.steps and state.steps[-1].answer is not None:
            tokens.append(self.end_id)
            is_generated.append(True)
        return Encoded(tokens=tokens, is_generated=is_generated, prompt=prompt, ends=ends)
