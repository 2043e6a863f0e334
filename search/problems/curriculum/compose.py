"""Composition of problems from chains of sentences: seeded, exact at every step, in splits that are disjoint.

The sentences are in templates.py, the draws in chains.py.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from search.errors import UserError
from search.problems.curriculum.chains import Link, choose, draw_chain, draw_numbers
from search.problems.curriculum.templates import DISTRACTOR_NUMBERS, DISTRACTORS, UNITS
from search.seeds import derive

TRIES = 20_000  # one in a hundred chains belongs to a given split by both hashes, and not all have whole totals
# Steps and distractors of a problem are at most this many together; a problem of more steps has no distractor.
MAX_SENTENCES = 8


class Split(StrEnum):
    """Use of a problem. The base policy is trained on the solutions of WORKED problems."""

    WORKED = "worked"
    TRAIN = "train"
    VALIDATION = "validation"
    HELDOUT = "heldout"
    DEEPER = "deeper"


# Of ten chains, so many belong to each split. Short chains are few, so most of them go to WORKED.
SHARES = (*[Split.WORKED] * 5, *[Split.TRAIN] * 2, Split.VALIDATION, Split.HELDOUT, Split.DEEPER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One step of a problem: its sentence, the code that computes it and the exact total after it."""

    sentence: str
    code: str
    value: int
    template: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Composition:
    """A composed problem: its facts in order, of which the last total is asked for.

    ``distractors``: the sentences that do not change the total (templates.py), as those before each fact and, last,
    those before the question.
    """

    facts: tuple[Fact, ...]
    unit: str
    distractors: tuple[tuple[str, ...], ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """Every number drawn for the problem, in order."""
        return tuple(number for fact in self.facts for number in fact.numbers)

    @property
    def question(self) -> str:
        sentences = [
            sentence
            for before, fact in zip(self.distractors, self.facts, strict=False)
            for sentence in (*before, fact.sentence)
        ]
        return " ".join((*sentences, *self.distractors[-1], f"How many {self.unit} are there now?"))


def compose(split: Split, level: int, seed: int) -> Composition:
    """Return the problem of ``level`` steps for a split and a seed. Raises UserError if none is found.

    The split is that of a hash of the chain of templates, and of a hash of the chain of numbers. So two splits share
    neither a chain of sentences nor one of numbers.
    """
    rng = random.Random(derive("curriculum", split, level, seed))
    is_worked = split is Split.WORKED
    for _ in range(TRIES):
        chain = draw_chain(rng, level, is_worked)
        if split_of([link.key for link in chain]) is not split:
            continue
        unit = choose(rng, UNITS)
        drawn = draw_numbers(rng, chain)
        if drawn is None:
            continue
        numbers, totals = drawn
        present = [number for number in numbers if number is not None]
        distractors = _draw_distractors(level, present, rng)
        if split_of(present) is split:
            facts = map(_fact, chain, numbers, totals, [unit] * level)
            return Composition(tuple(facts), unit, distractors)
    raise UserError(f"the curriculum has no {split} problems of {level} steps: ask for deeper ones")


def split_of(chain: Sequence[object]) -> Split:
    """Return the split in which a chain of template keys or of numbers may appear."""
    return SHARES[derive(*chain) % len(SHARES)]


def _draw_distractors(level: int, used: Sequence[int], rng: random.Random) -> tuple[tuple[str, ...], ...]:
    """Draw distractors, spread evenly over the gaps before, between and after the facts."""
    gaps: list[list[str]] = [[] for _ in range(level + 1)]
    present = list(used)
    for _ in range(rng.randint(0, max(0, MAX_SENTENCES - level))):
        text = choose(rng, DISTRACTORS)
        if "{n}" in text:
            choices = DISTRACTOR_NUMBERS["n"]
            number = choose(rng, [choice for choice in choices if choice not in present] or choices)
            present.append(number)
            text = text.format(n=number)
        choose(rng, gaps).append(text)
    return tuple(tuple(gap) for gap in gaps)


def _fact(link: Link, number: int | None, total: int, unit: str) -> Fact:
    template, numbers = link.template, link.numbers(number)
    return Fact(
        sentence=template.text.format(u=unit, **numbers),
        code=template.code.format(**numbers),
        value=total,
        template=template.key,
        numbers=tuple(numbers.values()),
    )
