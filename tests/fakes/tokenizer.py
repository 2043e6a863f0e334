"""A tokenizer that merges across the boundary of two steps, and two steps that it would merge."""

from __future__ import annotations

import re

from search.data import Outcome, Problem, Step, StepStatus
from search.formats.plain_format import PlainFormat
from train.data.encoding import Encoder

PAD, EOS = 0, 1
PROBLEM = Problem(id="p", question="q", answer="2", source="made up")
OPEN = Step("one ab", outcome=Outcome.OK)
FINAL = Step("ba two", status=StepStatus.FINAL, answer="2")


class Merging:
    """A tokenizer with a token for "abba", which only a text over the boundary of two steps holds."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.calls: list[str] = []

    def __call__(self, texts: list[str]) -> list[list[int]]:
        self.calls += texts
        return [[self.id(piece) for piece in re.findall(r"abba|ab|ba|\w+|\W", text)] for text in texts]

    def id(self, piece: str) -> int:
        return self.ids.setdefault(piece, len(self.ids) + 2)

    def text(self, tokens: list[int]) -> list[str]:
        pieces = {number: piece for piece, number in self.ids.items()} | {EOS: "<eos>"}
        return [pieces[token] for token in tokens]


def encoder() -> tuple[Encoder, Merging]:
    tokenise = Merging()
    return Encoder(tokenise, PlainFormat(), EOS), tokenise
