"""Chains of sentences to problems: seeded, with exact values for every step, splits disjoint by construction.

Knows how a problem is composed and to which split it may belong. The sentences are templates.py's.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from search.curriculum.templates import NAMES, TEMPLATES, UNITS, Template
from search.seeds import derive

MAX_VALUE = 2000
TRIES = 2000
TRIES_PER_FACT = 12
SHARE_OF_TWO_REFERENCES = 0.2
BY_REFERENCES = {n: [t for t in TEMPLATES if t.references == n] for n in range(3)}


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
    """One quantity of a problem: the sentence that defines it, the code that computes it and its exact value."""

    name: str
    sentence: str
    code: str
    value: int
    template: str
    uses: tuple[str, ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Composition:
    """A composed problem: its facts in order; the last one is asked for."""

    facts: tuple[Fact, ...]
    unit: str

    @property
    def numbers(self) -> tuple[int, ...]:
        """Every number drawn for the problem, in order."""
        return tuple(number for fact in self.facts for number in fact.numbers)

    @property
    def question(self) -> str:
        ask = f"How many {self.unit} does {self.facts[-1].name} have?"
        return " ".join((*(fact.sentence for fact in self.facts), ask))


def compose(split: Split, level: int, seed: int) -> Composition:
    """The problem of ``level`` steps that ``seed`` names in ``split``. Raises ValueError if none is found.

    A hash of the chain of templates and a hash of the chain of numbers both name the split, so two splits share no
    chain of sentences and no chain of numbers.
    """
    rng = random.Random(derive("curriculum", split, level, seed))
    for _ in range(TRIES):
        templates = _templates(level, rng)
        if split_of(template.key for template in templates) is split:
            composition = _fill(templates, rng)
            if composition is not None and split_of(composition.numbers) is split:
                return composition
    raise ValueError(f"no problem of level {level} found in split {split} for seed {seed}")


def split_of(chain: Iterable[object]) -> Split:
    """The one split in which this chain, of template keys or of numbers, may appear."""
    return SHARES[derive(*chain) % len(SHARES)]


def _templates(level: int, rng: random.Random) -> list[Template]:
    """A root, then sentences that refer to the quantity before them; one in five also to an earlier one."""
    chosen = [rng.choice(BY_REFERENCES[0])]
    while len(chosen) < level:
        references = 2 if len(chosen) > 1 and rng.random() < SHARE_OF_TWO_REFERENCES else 1
        chosen.append(rng.choice(BY_REFERENCES[references]))
    return chosen


def _fill(templates: list[Template], rng: random.Random) -> Composition | None:
    """Names and numbers for a chain; None where whole positive values did not come out."""
    names, unit = rng.sample(NAMES, len(templates)), rng.choice(UNITS)
    facts: list[Fact] = []
    for template, name in zip(templates, names, strict=True):
        uses = facts[-1:] if template.references else []
        uses = uses + [rng.choice(facts[:-1])] if template.references == 2 else uses
        for _ in range(TRIES_PER_FACT):
            numbers = {key: rng.choice(choices) for key, choices in template.numbers.items()}
            fact = _fact(template, name, unit, uses, numbers)
            if fact is not None:
                facts.append(fact)
                break
        else:
            return None
    return Composition(tuple(facts), unit)


def _fact(template: Template, name: str, unit: str, uses: list[Fact], numbers: dict[str, int]) -> Fact | None:
    """One sentence filled in; None where its value is not a whole number between 1 and MAX_VALUE."""
    words = dict(zip("yz", (fact.name for fact in uses), strict=False))
    code = template.code.format(**numbers, **{key: variable(word) for key, word in words.items()})
    known = {variable(fact.name): Fraction(fact.value) for fact in uses}
    value = Fraction(eval(code.replace("//", "/"), {"__builtins__": {}}, known))
    if value.denominator != 1 or not 1 <= value <= MAX_VALUE:
        return None
    sentence = template.text.format(x=name, u=unit, **numbers, **words)
    used = tuple(fact.name for fact in uses)
    return Fact(name, sentence, code, int(value), template.key, used, tuple(numbers.values()))


def variable(name: str) -> str:
    """The Python variable that holds the quantity of a person: the name as the question writes it."""
    return name
