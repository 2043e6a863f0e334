"""The sentences of the built-in curriculum, by family: their text and the Python that computes each."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from math import lcm
from types import CodeType
from typing import NamedTuple

UNITS = ("apples", "stamps", "coins", "cards", "shells", "books")
TOTAL = "total"  # the one variable of every solution


class Effect(NamedTuple):
    """What a sentence does to the total, in whole numbers: new = (scale * old + offset) / divisor."""

    scale: int
    offset: int
    divisor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A sentence that changes the running total.

    ``code`` is the Python expression for the new total in terms of the old one; if it does not mention the old one, the
    sentence opens a problem. ``{u}`` is the unit; every other name is a number drawn from its list in ``numbers``.
    ``rare``: the sentence is seldom in worked solutions, but as frequent as any in problems. ``closes``: it is the last
    sentence of a problem.
    """

    key: str
    text: str
    code: str
    numbers: dict[str, tuple[int, ...]] = field(default_factory=dict)
    rare: bool = False
    closes: bool = False

    def value(self, total: Fraction, numbers: dict[str, int]) -> Fraction:
        """Return the exact new total."""
        return Fraction(eval(_exact(self.code), {"__builtins__": {}}, {TOTAL: total, **numbers}))

    def effect(self, numbers: dict[str, int]) -> Effect:
        """Return the new total as an exact linear function of the old one, which every template is."""
        offset = self.value(Fraction(0), numbers)
        scale = self.value(Fraction(1), numbers) - offset
        assert self.value(Fraction(1000), numbers) == 1000 * scale + offset, self.key
        divisor = lcm(scale.denominator, offset.denominator)
        return Effect(int(scale * divisor), int(offset * divisor), divisor)

    @property
    def opens(self) -> bool:
        """True if the sentence can be the first."""
        return TOTAL not in self.code


@cache
def _exact(code: str) -> CodeType:
    return compile(code.translate({ord("{"): "", ord("}"): ""}), "<template>", "eval")


def span(low: int, high: int, by: int = 1) -> tuple[int, ...]:
    """Return the multiples of ``by`` from the ``low``-th to the ``high``-th."""
    return tuple(number * by for number in range(low, high + 1))


# A sentence has one number at most, and a problem has no number twice while there are others (compose.py). A small model
# that must keep two numbers of a sentence apart learns little else, and its mistakes are misread numbers (docs/LOG.md).
SMALL, UNEVEN, NUMBERS, TENS, HUNDREDS = span(2, 6), (9, 11, 13, 17), span(3, 20), span(3, 9, by=10), span(2, 9, by=100)
PERCENT, TENTHS = (10, 20, 25, 50, 75), (10, 20, 25, 50)


def _template(key: str, code: str, text: str, **numbers: tuple[int, ...]) -> Template:
    return Template(key=key, text=text, code=code, numbers=numbers)


def _rare(key: str, code: str, text: str, **numbers: tuple[int, ...]) -> Template:
    return Template(key=key, text=text, code=code, numbers=numbers, rare=True)


def _closing(key: str, code: str, text: str, **numbers: tuple[int, ...]) -> Template:
    return Template(key=key, text=text, code=code, numbers=numbers, closes=True)


# A model that learns from worked solutions alone can do little more than guess the rare sentences. A search finds out what
# they mean, because only the correct reading leads to the answer.

# A problem ends by an even division, by a number that divides a random total once in ten times. So a mistake anywhere
# before shows in the printed total. No worked solution has a fraction; a reward model that compares solutions sees them.

QUANTITIES = (
    _template("quantities/root", "{k}", "A shop has {k} {u}.", k=HUNDREDS),
    _template("quantities/more", "total + {k}", "{k} more come in.", k=NUMBERS),
    _template("quantities/fewer", "total - {k}", "{k} are sold.", k=NUMBERS),
    _template("quantities/times", "total * {k}", "It is {k} times as many now.", k=SMALL),
    _closing("quantities/share", "total / {k}", "{k} people get as many each.", k=UNEVEN),
)

RATES = (
    _template("rates/root", "{k} * 7", "{k} {u} a day arrive for a week.", k=TENS),
    _template("rates/earn", "total + {k} * 24", "{k} an hour come in all day.", k=NUMBERS),
    _template("rates/spend", "total - {k} * 7", "{k} a day are lost for a week.", k=NUMBERS),
    _rare("rates/share", "total / {k}", "One of {k} equal parts stays.", k=SMALL),
)

FRACTIONS = (
    _template("fractions/half", "total / 2", "Half of it stays."),
    _template("fractions/percent", "total * {p} / 100", "{p} percent stay.", p=PERCENT),
    _rare("fractions/raise", "total + total * {p} / 100", "It grows by {p} percent.", p=TENTHS),
    _rare("fractions/cut", "total - total * {p} / 100", "{p} percent are gone.", p=TENTHS),
)

EQUATIONS = (
    _template("equations/plus", "(total - {m}) / 2", "This is {m} more than twice what stays.", m=NUMBERS),
    _template("equations/minus", "(total + {m}) / 3", "This is {m} fewer than three times what stays.", m=NUMBERS),
    _template("equations/missing", "total - {k}", "What stays is {k} short of it.", k=NUMBERS),
)

SEQUENCES = (
    _template("sequences/root", "4 * {k}", "Four rows of {k} {u} stand here.", k=TENS),
    _rare("sequences/grow", "total + {d} * 5", "The row grows on by {d} for five terms.", d=NUMBERS),
    _rare("sequences/double", "total * 4", "It doubles twice."),
    _closing("sequences/rows", "total / {k}", "This fills {k} even rows.", k=UNEVEN),
)

TEMPLATES = QUANTITIES + RATES + FRACTIONS + EQUATIONS + SEQUENCES

# Sentences that change nothing. A short problem with some of them is as long as a deep one, so neither the place of a
# sentence nor the length of the text tells how many steps there are: a model that learns from short problems has to read.
# Most have a number, as other sentences do; otherwise a small model tells them apart by their looks and leaves one out of
# four. Most are long: their steps have no code, and a solution must be as long as a deep one's.
DISTRACTORS = (
    "It rains.",
    "A dog barks.",
    "The keeper smiles.",
    "{n} birds fly by in the morning.",
    "{n} more are seen next door.",
    "{n} of them are painted red and blue.",
    "{n} percent are round and not flat.",
    "The row has {n} lamps that are on.",
    "A shop next door has {n} chairs.",
    "It is {n} degrees warm all day.",
    "This takes {n} minutes and twice the rest.",
    "{n} a day pass by for a week.",
    "What plays is song {n} of a short list.",
)
DISTRACTOR_NUMBERS = {"n": (*NUMBERS, *TENS)}
