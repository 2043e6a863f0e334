"""Draw chains of sentences, and numbers for them that keep every total whole.

A problem takes about 500 chains, so this is the hot path of the curriculum: sentences are tables of whole numbers, and the
random source is called as ``random.choice`` and ``random.choices`` would call it, without their overhead. The problems
depend on every one of these calls (tests/search/problems/curriculum/test_same_problems.py).
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

from search.problems.curriculum.templates import TEMPLATES, Effect, Template

# Totals are whole and neither small nor huge. A search that hits a small answer by chance would learn from an incorrect
# solution. And nobody has 57.5 apples: a mistake leads to a total that looks wrong, which a reward model can learn to see.
MIN_TOTAL, MAX_TOTAL = 30, 99_999
TRIES_PER_FACT = 12
RARE_WEIGHT = 0.06  # frequency of a rare sentence in worked solutions, relative to any other
MIN_CLOSED_LEVEL = 3  # problems of so many steps or more end with a closing sentence

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A template as a table.

    ``key``: of the template. ``choices``: numbers to draw from; empty if the sentence has none. ``effects``: by number,
    None for no number.
    """

    template: Template
    key: str
    choices: tuple[int, ...]
    effects: dict[int | None, Effect]

    def numbers(self, number: int | None) -> dict[str, int]:
        """Return the number by its name in the template."""
        return {} if number is None else dict.fromkeys(self.template.numbers, number)


def _link(template: Template) -> Link:
    assert len(template.numbers) <= 1, f"{template.key}: a sentence has one number at most"
    for name, choices in template.numbers.items():
        effects: dict[int | None, Effect] = {number: template.effect({name: number}) for number in choices}
        return Link(template=template, key=template.key, choices=choices, effects=effects)
    return Link(template=template, key=template.key, choices=(), effects={None: template.effect({})})


OPENING = [_link(template) for template in TEMPLATES if template.opens]
CLOSING = [_link(template) for template in TEMPLATES if template.closes]
FOLLOWING = [_link(template) for template in TEMPLATES if not template.opens and not template.closes]
WORKED_LIMITS = list(accumulate(RARE_WEIGHT if link.template.rare else 1.0 for link in FOLLOWING))

Chain = list[Link]


def choose(rng: random.Random, items: Sequence[Item]) -> Item:
    """Return ``rng.choice(items)``."""
    count = len(items)
    bits, getrandbits = count.bit_length(), rng.getrandbits
    index = getrandbits(bits)
    while index >= count:
        index = getrandbits(bits)
    return items[index]


def draw_chain(rng: random.Random, level: int, rarely: bool) -> Chain:
    """Draw an opening, further sentences and, from MIN_CLOSED_LEVEL on, a closing. ``rarely``: few rare sentences."""
    closing = [choose(rng, CLOSING)] if level >= MIN_CLOSED_LEVEL else []
    chain = [choose(rng, OPENING)]
    following, uniform = range(level - 1 - len(closing)), rng.random
    if rarely:
        last, total = len(FOLLOWING) - 1, WORKED_LIMITS[-1]
        chain += [FOLLOWING[bisect(WORKED_LIMITS, uniform() * total, 0, last)] for _ in following]
    else:
        count = len(FOLLOWING)
        chain += [FOLLOWING[int(uniform() * count)] for _ in following]
    return chain + closing


def draw_numbers(rng: random.Random, chain: Chain) -> tuple[list[int | None], list[int]] | None:
    """Draw a number for each sentence, preferably one that the problem does not have yet, and return them with the totals.

    None if a sentence found no whole total between MIN_TOTAL and MAX_TOTAL.
    """
    numbers: list[int | None] = []
    totals: list[int] = []
    total = 0
    for link in chain:
        step = _draw_number(rng, link, numbers, total)
        if step is None:
            return None
        number, total = step
        numbers.append(number)
        totals.append(total)
    return numbers, totals


def _draw_number(
    rng: random.Random, link: Link, used: Sequence[int | None], total: int
) -> tuple[int | None, int] | None:
    """Return a number that leads to a whole total, and that total; None if TRIES_PER_FACT draws found none."""
    effects, number = link.effects, None
    if not link.choices:
        scale, offset, divisor = effects[None]
        new, rest = divmod(scale * total + offset, divisor)
        return None if rest or not MIN_TOTAL <= new <= MAX_TOTAL else (None, new)
    available = [choice for choice in link.choices if choice not in used] or link.choices
    count = len(available)
    bits, getrandbits = count.bit_length(), rng.getrandbits
    for _ in range(TRIES_PER_FACT):
        index = getrandbits(bits)
        while index >= count:
            index = getrandbits(bits)
        number = available[index]
        scale, offset, divisor = effects[number]
        new, rest = divmod(scale * total + offset, divisor)
        if not rest and MIN_TOTAL <= new <= MAX_TOTAL:
            return number, new
    return None
