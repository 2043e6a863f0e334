"""Chains of sentences to problems: seeded, with exact values for every step, splits disjoint by construction.

Knows how a problem is composed and to which split it may belong. The sentences are templates.py's.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

from search.errors import UserError
from search.problems.curriculum.templates import IDLE, IDLE_NUMBERS, TEMPLATES, UNITS, Template
from search.seeds import derive

# Totals are whole and neither small nor huge. A search that hits a small answer by chance would learn from a wrong
# solution. And nobody has 57.5 apples: what a mistake leads to looks wrong, which a reward model can learn to see.
MIN_VALUE, MAX_VALUE = 30, 99_999
TRIES = 20_000  # one in a hundred chains belongs to a split by templates and numbers, and not all have whole totals
TRIES_PER_FACT = 12
SENTENCES = 8  # a shallow problem has up to so many, the idle ones among them
RARELY = 0.06  # how often worked solutions have a rare sentence, where they have another once
OPENING = [template for template in TEMPLATES if template.opens]
CLOSING = [template for template in TEMPLATES if template.closes]
FOLLOWING = [template for template in TEMPLATES if not template.opens and not template.closes]
SHOWN = [RARELY if template.rare else 1.0 for template in FOLLOWING]
FIRST_CLOSED = 3  # the least steps of problems that end with a closing sentence


class Split(StrEnum):
    """Who may see a problem. WORKED problems are the ones whose solutions are shown to the base policy."""

    WORKED = "worked"
    TRAIN = "train"
    VALIDATION = "validation"
    HELDOUT = "heldout"
    DEEPER = "deeper"


# Of ten chains, so many belong to each split. Short chains are few: most of them go where solutions are learnt from.
SHARES = (*[Split.WORKED] * 5, *[Split.TRAIN] * 2, Split.VALIDATION, Split.HELDOUT, Split.DEEPER)


@dataclass(frozen=True, slots=True)
class Fact:
    """One step of a problem: the sentence that asks for it, the code that takes it and the exact total after it."""

    sentence: str
    code: str
    value: int
    template: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Composition:
    """A composed problem: its facts in order; the total after the last one is asked for.

    ``asides`` are the idle sentences before each fact and, last, those before the question.
    """

    facts: tuple[Fact, ...]
    unit: str
    asides: tuple[tuple[str, ...], ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """Every number drawn for the problem, in order."""
        return tuple(number for fact in self.facts for number in fact.numbers)

    @property
    def question(self) -> str:
        said = [
            sentence
            for aside, fact in zip(self.asides, self.facts, strict=False)
            for sentence in (*aside, fact.sentence)
        ]
        return " ".join((*said, *self.asides[-1], f"How many {self.unit} are there now?"))


@lru_cache(maxsize=65536)
def compose(split: Split, level: int, seed: int) -> Composition:
    """The problem of ``level`` steps that ``seed`` names in ``split``. Raises UserError if none is found.

    A hash of the chain of templates and a hash of the chain of numbers both name the split, so two splits share no
    chain of sentences and no chain of numbers.
    """
    rng = random.Random(derive("curriculum", split, level, seed))
    for _ in range(TRIES):
        templates = _templates(split, level, rng)
        if split_of(template.key for template in templates) is split:
            composition = _fill(templates, rng)
            if composition is not None and split_of(composition.numbers) is split:
                return composition
    raise UserError(f"the curriculum has no {split} problems of {level} steps: ask for deeper ones")


def split_of(chain: Iterable[object]) -> Split:
    """The one split in which this chain, of template keys or of numbers, may appear."""
    return SHARES[derive(*chain) % len(SHARES)]


def _templates(split: Split, level: int, rng: random.Random) -> list[Template]:
    weights = SHOWN if split is Split.WORKED else None
    closing = [rng.choice(CLOSING)] if level >= FIRST_CLOSED else []
    return [rng.choice(OPENING), *rng.choices(FOLLOWING, weights, k=level - 1 - len(closing)), *closing]


def _fill(templates: list[Template], rng: random.Random) -> Composition | None:
    """Numbers for a chain; None where whole positive totals did not come out."""
    unit = rng.choice(UNITS)
    facts: list[Fact] = []
    said: set[int] = set()
    for template in templates:
        for _ in range(TRIES_PER_FACT):
            numbers = _draw(template.numbers, said, rng)
            fact = _fact(template, unit, facts[-1].value if facts else 0, numbers)
            if fact is not None:
                facts.append(fact)
                said.update(fact.numbers)
                break
        else:
            return None
    return Composition(tuple(facts), unit, _asides(len(facts), said, rng))


def _draw(ranges: Mapping[str, Sequence[int]], said: set[int], rng: random.Random) -> dict[str, int]:
    """A number for each name, none that the problem has already where its range has others."""
    drawn: dict[str, int] = {}
    for name, choices in ranges.items():
        taken = said | set(drawn.values())
        drawn[name] = rng.choice([number for number in choices if number not in taken] or choices)
    return drawn


def _asides(level: int, said: set[int], rng: random.Random) -> tuple[tuple[str, ...], ...]:
    """Idle sentences, strewn evenly over the gaps before, between and after the facts."""
    gaps: list[list[str]] = [[] for _ in range(level + 1)]
    for _ in range(rng.randint(0, max(0, SENTENCES - level))):
        text = rng.choice(IDLE)
        numbers = _draw({name: choices for name, choices in IDLE_NUMBERS.items() if f"{{{name}}}" in text}, said, rng)
        said = said | set(numbers.values())
        rng.choice(gaps).append(text.format(**numbers))
    return tuple(tuple(gap) for gap in gaps)


def _fact(template: Template, unit: str, total: int, numbers: dict[str, int]) -> Fact | None:
    """One sentence filled in; None where the new total is not a whole number between MIN_VALUE and MAX_VALUE."""
    value = template.value(Fraction(total), numbers)
    if value.denominator != 1 or not MIN_VALUE <= value <= MAX_VALUE:
        return None
    sentence = template.text.format(u=unit, **numbers)
    return Fact(sentence, template.code.format(**numbers), int(value), template.key, tuple(numbers.values()))
