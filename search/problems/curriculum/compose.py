"""Composition of problems from chains of sentences: seeded, exact at every step, in splits that are disjoint.

The sentences are in templates.py.
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

# Totals are whole and neither small nor huge. A search that hits a small answer by chance would learn from an incorrect
# solution. And nobody has 57.5 apples: a mistake leads to a total that looks wrong, which a reward model can learn to see.
MIN_TOTAL, MAX_TOTAL = 30, 99_999
TRIES = 20_000  # one in a hundred chains belongs to a given split by both hashes, and not all have whole totals
TRIES_PER_FACT = 12
SENTENCES = 8  # largest number of sentences of a shallow problem, idle ones included
RARE_WEIGHT = 0.06  # frequency of a rare sentence in worked solutions, relative to any other
OPENING = [template for template in TEMPLATES if template.opens]
CLOSING = [template for template in TEMPLATES if template.closes]
FOLLOWING = [template for template in TEMPLATES if not template.opens and not template.closes]
WORKED_WEIGHTS = [RARE_WEIGHT if template.rare else 1.0 for template in FOLLOWING]
MIN_CLOSED_LEVEL = 3  # problems of so many steps or more end with a closing sentence


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

    ``asides``: the idle sentences before each fact and, last, those before the question.
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
        sentences = [
            sentence
            for aside, fact in zip(self.asides, self.facts, strict=False)
            for sentence in (*aside, fact.sentence)
        ]
        return " ".join((*sentences, *self.asides[-1], f"How many {self.unit} are there now?"))


@lru_cache(maxsize=65536)
def compose(split: Split, level: int, seed: int) -> Composition:
    """Return the problem of ``level`` steps for a split and a seed. Raises UserError if none is found.

    The split is that of a hash of the chain of templates, and of a hash of the chain of numbers. So two splits share
    neither a chain of sentences nor one of numbers.
    """
    rng = random.Random(derive("curriculum", split, level, seed))
    for _ in range(TRIES):
        templates = _draw_templates(split, level, rng)
        if split_of(template.key for template in templates) is split:
            composition = _fill(templates, rng)
            if composition is not None and split_of(composition.numbers) is split:
                return composition
    raise UserError(f"the curriculum has no {split} problems of {level} steps: ask for deeper ones")


def split_of(chain: Iterable[object]) -> Split:
    """Return the split in which a chain of template keys or of numbers may appear."""
    return SHARES[derive(*chain) % len(SHARES)]


def _draw_templates(split: Split, level: int, rng: random.Random) -> list[Template]:
    weights = WORKED_WEIGHTS if split is Split.WORKED else None
    closing = [rng.choice(CLOSING)] if level >= MIN_CLOSED_LEVEL else []
    return [rng.choice(OPENING), *rng.choices(FOLLOWING, weights, k=level - 1 - len(closing)), *closing]


def _fill(templates: list[Template], rng: random.Random) -> Composition | None:
    """Draw numbers for a chain; return None if a fact found no whole total."""
    unit = rng.choice(UNITS)
    facts: list[Fact] = []
    used: set[int] = set()
    for template in templates:
        for _ in range(TRIES_PER_FACT):
            numbers = _draw_numbers(template.numbers, used, rng)
            fact = _fact(template, unit, facts[-1].value if facts else 0, numbers)
            if fact is not None:
                facts.append(fact)
                used.update(fact.numbers)
                break
        else:
            return None
    return Composition(tuple(facts), unit, _draw_asides(len(facts), used, rng))


def _draw_numbers(ranges: Mapping[str, Sequence[int]], used: set[int], rng: random.Random) -> dict[str, int]:
    """Draw a number for each name, preferably one that the problem does not have yet."""
    drawn: dict[str, int] = {}
    for name, choices in ranges.items():
        excluded = used | set(drawn.values())
        drawn[name] = rng.choice([number for number in choices if number not in excluded] or choices)
    return drawn


def _draw_asides(level: int, used: set[int], rng: random.Random) -> tuple[tuple[str, ...], ...]:
    """Draw idle sentences, spread evenly over the gaps before, between and after the facts."""
    gaps: list[list[str]] = [[] for _ in range(level + 1)]
    for _ in range(rng.randint(0, max(0, SENTENCES - level))):
        text = rng.choice(IDLE)
        ranges = {name: choices for name, choices in IDLE_NUMBERS.items() if f"{{{name}}}" in text}
        numbers = _draw_numbers(ranges, used, rng)
        used = used | set(numbers.values())
        rng.choice(gaps).append(text.format(**numbers))
    return tuple(tuple(gap) for gap in gaps)


def _fact(template: Template, unit: str, total: int, numbers: dict[str, int]) -> Fact | None:
    """Fill in one sentence; return None if the new total is not a whole number between MIN_TOTAL and MAX_TOTAL."""
    value = template.value(Fraction(total), numbers)
    if value.denominator != 1 or not MIN_TOTAL <= value <= MAX_TOTAL:
        return None
    sentence = template.text.format(u=unit, **numbers)
    return Fact(
        sentence=sentence,
        code=template.code.format(**numbers),
        value=int(value),
        template=template.key,
        numbers=tuple(numbers.values()),
    )
