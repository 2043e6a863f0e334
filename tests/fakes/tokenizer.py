"""A tokenizer that merges across the boundary of two steps, and two steps that it would merge."""

from __future__ import annotations

import re
from collections.abc import Sequence

from search.data import Outcome, Problem, Step, StepStatus
from search.formats.base import Piece
from search.formats.plain_format import PlainFormat
from search.tokens import piece_text
from train.data.encoding import Encoder

PAD, EOS = 0, 1
PROBLEM = Problem(id="p", question="q", answer="2", source="made up")
OPEN = Step("one ab", outcome=Outcome.OK)
FINAL = Step("ba two", status=StepStatus.FINAL, answer="2")


class Merging:
    """A token encoder with a token for "abba", which only a text over the boundary of two steps holds."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}

    def ids_by_piece(self, pieces: Sequence[Piece]) -> list[tuple[int, ...]]:
        texts = [piece_text(piece) for piece in pieces]
        return [tuple(self.id(word) for word in re.findall(r"abba|ab|ba|\w+|\W", text)) for text in texts]

    def id(self, piece: str) -> int:
        return self.ids.setdefault(piece, len(self.ids) + 2)

    def text(self, tokens: list[int]) -> list[str]:
        pieces = {number: piece for piece, number in self.ids.items()} | {EOS: "<eos>"}
        return [pieces[token] for token in tokens]


def encoder() -> tuple[Encoder, Merging]:
    tokens = Merging()
    return Encoder(tokens, PlainFormat(), EOS), tokens  # type: ignore[arg-type]
