"""The sentences of the built-in curriculum: what each says and the Python that computes it, by family.

Knows phrasing and arithmetic of one step. How steps are chained into problems is compose.py's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from types import CodeType

UNITS = ("apples", "stamps", "coins", "cards", "shells", "books")
TOTAL = "total"  # the one variable of every solution


@dataclass(frozen=True, slots=True)
class Template:
    """One sentence that says what becomes of the running total.

    ``code`` is the Python expression for the new total in terms of the old one; a template whose code does not mention it
    opens a problem. ``{u}`` is the unit; every other name is a number drawn from its range (or list) in ``numbers``.
    """

    key: str
    text: str
    code: str
    numbers: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def value(self, total: Fraction, numbers: dict[str, int]) -> Fraction:
        """The exact new total, a fraction where the code would round."""
        return Fraction(eval(_exact(self.code), {"__builtins__": {}}, {TOTAL: total, **numbers}))

    @property
    def opens(self) -> bool:
        """Whether the sentence can stand first."""
        return TOTAL not in self.code


@cache
def _exact(code: str) -> CodeType:
    return compile(code.translate({ord("{"): "", ord("}"): ""}).replace("//", "/"), "<template>", "eval")


def span(low: int, high: int, by: int = 1) -> tuple[int, ...]:
    """The multiples of ``by`` from the ``low``-th to the ``high``-th."""
    return tuple(number * by for number in range(low, high + 1))


SMALL, MEDIUM, TENS = span(2, 6), span(2, 12), span(3, 9, by=10)
PERCENT, TENTHS = (10, 20, 25, 50, 75), (10, 20, 25, 50)


def _said(key: str, code: str, text: str, **numbers: tuple[int, ...]) -> Template:
    return Template(key, text, code, numbers)


# Numbers stand in a sentence in the order in which the code needs them: that much easier is the sentence to translate.
QUANTITIES = (
    _said("quantities/root", "{k} * {m}", "A shop has {k} boxes of {m} {u}.", k=TENS, m=MEDIUM),
    _said("quantities/more", "total + {k}", "{k} more come in.", k=MEDIUM),
    _said("quantities/fewer", "total - {k}", "{k} are sold.", k=MEDIUM),
    _said("quantities/times", "total * {k}", "It is {k} times as many now.", k=SMALL),
)

RATES = (
    _said("rates/root", "{k} * {m}", "{k} {u} an hour arrive for {m} hours.", k=TENS, m=MEDIUM),
    _said("rates/earn", "total + {k} * {m}", "{k} an hour come in for {m} hours.", k=MEDIUM, m=SMALL),
    _said("rates/spend", "total - {k} * {m}", "{k} a day are lost for {m} days.", k=MEDIUM, m=SMALL),
    _said("rates/share", "total // {k}", "One of {k} equal parts stays.", k=SMALL),
)

FRACTIONS = (
    _said("fractions/part", "total * {k} // {m}", "{k} of every {m} stay.", k=(2, 3), m=(4, 5)),
    _said("fractions/percent", "total * {p} // 100", "{p} percent stay.", p=PERCENT),
    _said("fractions/raise", "total + total * {p} // 100", "It grows by {p} percent.", p=TENTHS),
    _said("fractions/cut", "total - total * {p} // 100", "{p} percent are gone.", p=TENTHS),
)

EQUATIONS = (
    _said("equations/plus", "(total - {m}) // {k}", "This is {m} more than {k} times what stays.", m=MEDIUM, k=SMALL),
    _said("equations/minus", "(total + {m}) // {k}", "This is {m} fewer than {k} times what stays.", m=MEDIUM, k=SMALL),
    _said("equations/missing", "total - {k}", "What stays is {k} short of it.", k=MEDIUM),
)

SEQUENCES = (
    _said("sequences/root", "{k} + {d} * {m}", "A row of {u} from {k} grows by {d} for {m} terms.",
          k=TENS, d=MEDIUM, m=MEDIUM),
    _said("sequences/grow", "total + {d} * {m}", "The row grows on by {d} for {m} terms.", d=SMALL, m=SMALL),
    _said("sequences/double", "total * 2 ** {m}", "It doubles {m} times.", m=(2, 3)),
)  # fmt: skip

TEMPLATES = QUANTITIES + RATES + FRACTIONS + EQUATIONS + SEQUENCES

# Sentences that change nothing. A short problem with some of them is as long as a deep one, so neither the place of a
# sentence nor the length of a text says how many steps there are: whoever learns from short problems has to read. Most
# have numbers, as the others do; else a small model finds those that count by their looks and leaves one out of four.
# Most are long: their steps have no code, and a solution must be as long as a deep one's.
IDLE = (
    "It rains.",
    "A dog barks.",
    "The keeper smiles.",
    "{n} birds fly by in {m} rows.",
    "{n} more are seen next door in {m} boxes.",
    "{n} of them are painted red and {m} are blue.",
    "{n} percent are round and {m} percent are flat.",
    "The row has {n} lamps and {m} of them are on.",
    "A shop next door has {n} chairs of {m} kinds.",
    "It is {n} degrees warm for {m} hours.",
    "This takes {n} minutes and {m} times as many of rest.",
    "{n} a day pass by for {m} days.",
    "What plays is song {n} of {m} and it is short.",
)
IDLE_NUMBERS = (*SMALL, *MEDIUM, *TENS)
