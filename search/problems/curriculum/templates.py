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
    A ``rare`` one is seldom in worked solutions, but as frequent as any in problems. One that ``closes`` is the last of a
    problem.
    """

    key: str
    text: str
    code: str
    numbers: dict[str, tuple[int, ...]] = field(default_factory=dict)
    rare: bool = False
    closes: bool = False

    def value(self, total: Fraction, numbers: dict[str, int]) -> Fraction:
        """The exact new total."""
        return Fraction(eval(_exact(self.code), {"__builtins__": {}}, {TOTAL: total, **numbers}))

    @property
    def opens(self) -> bool:
        """Whether the sentence can stand first."""
        return TOTAL not in self.code


@cache
def _exact(code: str) -> CodeType:
    return compile(code.translate({ord("{"): "", ord("}"): ""}), "<template>", "eval")


def span(low: int, high: int, by: int = 1) -> tuple[int, ...]:
    """The multiples of ``by`` from the ``low``-th to the ``high``-th."""
    return tuple(number * by for number in range(low, high + 1))


# A sentence has one number at most, and a problem no number twice while there are others (compose.py). A small model that
# has to keep two numbers of a sentence apart learns little else, and its mistakes are then misread numbers (docs/LOG.md).
SMALL, UNEVEN, NUMBERS, TENS, HUNDREDS = span(2, 6), (9, 11, 13, 17), span(3, 20), span(3, 9, by=10), span(2, 9, by=100)
PERCENT, TENTHS = (10, 20, 25, 50, 75), (10, 20, 25, 50)


def _said(key: str, code: str, text: str, **numbers: tuple[int, ...]) -> Template:
    return Template(key, text, code, numbers)


def _rarely_said(key: str, code: str, text: str, **numbers: tuple[int, ...]) -> Template:
    return Template(key, text, code, numbers, rare=True)


def _last_said(key: str, code: str, text: str, **numbers: tuple[int, ...]) -> Template:
    return Template(key, text, code, numbers, closes=True)


# Who learns from worked solutions alone meets the rare sentences with little more than a guess, as people meet the long tail
# of what was taught once. A search finds out what they mean, because only the right reading leads to the answer.

# A problem ends by dividing evenly, and by a number that does so by chance once in ten times: a mistake anywhere before is
# seen in what the program prints. No worked solution has a broken number; a reward model that compares solutions sees them.

QUANTITIES = (
    _said("quantities/root", "{k}", "A shop has {k} {u}.", k=HUNDREDS),
    _said("quantities/more", "total + {k}", "{k} more come in.", k=NUMBERS),
    _said("quantities/fewer", "total - {k}", "{k} are sold.", k=NUMBERS),
    _said("quantities/times", "total * {k}", "It is {k} times as many now.", k=SMALL),
    _last_said("quantities/share", "total / {k}", "{k} people get as many each.", k=UNEVEN),
)

RATES = (
    _said("rates/root", "{k} * 7", "{k} {u} a day arrive for a week.", k=TENS),
    _said("rates/earn", "total + {k} * 24", "{k} an hour come in all day.", k=NUMBERS),
    _said("rates/spend", "total - {k} * 7", "{k} a day are lost for a week.", k=NUMBERS),
    _rarely_said("rates/share", "total / {k}", "One of {k} equal parts stays.", k=SMALL),
)

FRACTIONS = (
    _said("fractions/half", "total / 2", "Half of it stays."),
    _said("fractions/percent", "total * {p} / 100", "{p} percent stay.", p=PERCENT),
    _rarely_said("fractions/raise", "total + total * {p} / 100", "It grows by {p} percent.", p=TENTHS),
    _rarely_said("fractions/cut", "total - total * {p} / 100", "{p} percent are gone.", p=TENTHS),
)

EQUATIONS = (
    _said("equations/plus", "(total - {m}) / 2", "This is {m} more than twice what stays.", m=NUMBERS),
    _said("equations/minus", "(total + {m}) / 3", "This is {m} fewer than three times what stays.", m=NUMBERS),
    _said("equations/missing", "total - {k}", "What stays is {k} short of it.", k=NUMBERS),
)

SEQUENCES = (
    _said("sequences/root", "4 * {k}", "Four rows of {k} {u} stand here.", k=TENS),
    _rarely_said("sequences/grow", "total + {d} * 5", "The row grows on by {d} for five terms.", d=NUMBERS),
    _rarely_said("sequences/double", "total * 4", "It doubles twice."),
    _last_said("sequences/rows", "total / {k}", "This fills {k} even rows.", k=UNEVEN),
)

TEMPLATES = QUANTITIES + RATES + FRACTIONS + EQUATIONS + SEQUENCES

# Sentences that change nothing. A short problem with some of them is as long as a deep one, so neither the place of a
# sentence nor the length of a text says how many steps there are: whoever learns from short problems has to read. Most
# have a number, as the others do; else a small model finds those that count by their looks and leaves one out of four.
# Most are long: their steps have no code, and a solution must be as long as a deep one's.
IDLE = (
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
IDLE_NUMBERS = {"n": (*NUMBERS, *TENS)}
