"""Write exact numbers that are not rational: a + b times a root or a constant, powers, factorials, logarithms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Context, Decimal
from fractions import Fraction
from math import comb, factorial
from random import Random

from tests.search.grading.mutations.rationals import (
    MINIMUM_DIGITS,
    change_rational,
    draw_integer,
    draw_rational,
    write_rational,
)

DIGITS = 60
CONSTANTS = {
    "\\pi": Decimal("3.14159265358979323846264338327950288419716939937510582097494"),
    "e": Decimal("2.71828182845904523536028747135266249775724709369995957496697"),
}
SQUAREFREE = (2, 3, 5, 6, 7, 10, 11, 13, 14, 15, 17, 19, 21)
DECIMAL_SHARE = 0.2  # of the answers are decimals
RADICAND_SHARE = 0.2  # of the roots take the factor in: 2 sqrt(3) = sqrt(12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surd:
    """The number ``shift + factor * root``; ``root`` is a square-free integer's square root or a constant's name."""

    shift: Fraction
    factor: Fraction
    root: int | str

    def decimal(self, digits: int) -> str:
        context = Context(prec=DIGITS)
        root = CONSTANTS[self.root] if isinstance(self.root, str) else context.sqrt(Decimal(self.root))
        factor = context.divide(Decimal(self.factor.numerator), Decimal(self.factor.denominator))
        shift = context.divide(Decimal(self.shift.numerator), Decimal(self.shift.denominator))
        return f"{Context(prec=digits).plus(context.add(shift, context.multiply(factor, root))):f}"


def draw_surd(rng: Random) -> Surd:
    factor = Fraction(rng.choice([-1, 1, 1]) * rng.randint(1, 12), rng.choice([1, 1, 1, 2, 3, 4, 6]))
    shift = Fraction(rng.choice([0, 0, 0, rng.randint(-9, 9)]), rng.choice([1, 1, 2]))
    return Surd(shift=shift, factor=factor, root=rng.choice([*SQUAREFREE, *["\\pi"] * 6, "e"]))


def change_surd(rng: Random, value: Surd) -> Surd:
    """Return another number: another coefficient, sign, root or shift."""
    other_root = rng.choice([root for root in (*SQUAREFREE, "\\pi", "e") if root != value.root])
    changes = [
        replace(value, factor=-value.factor),
        replace(value, factor=value.factor + 1 or Fraction(2)),
        replace(value, factor=value.factor / 2),
        replace(value, root=other_root),
        replace(value, shift=value.shift + 1),
        replace(value, shift=-value.shift) if value.shift else replace(value, factor=value.factor * 3),
    ]
    return rng.choice(changes)


def write_root(rng: Random, value: int | str, *, is_latex: bool) -> str:
    """Write a root or a constant, in LaTeX or as Python and Unicode have it."""
    if isinstance(value, str):
        if value == "e":
            return rng.choice(["e", "e", "\\mathrm{e}"]) if is_latex else "e"
        return value if is_latex else rng.choice(["pi", "π"])
    if is_latex:
        return rng.choice(
            [f"\\sqrt{{{value}}}", f"\\sqrt{{{value}}}", f"\\sqrt {{{value}}}", f"{value}^{{1/2}}"]
            + ([f"\\sqrt{value}"] if value < 10 else [])
        )
    return rng.choice([f"sqrt({value})", f"√{value}", f"sqrt({value})"])


def write_term(rng: Random, value: Surd, *, is_latex: bool) -> str:
    """Write the positive ``|factor| * root``."""
    factor, root = abs(value.factor), write_root(rng, value.root, is_latex=is_latex)
    top, bottom = factor.numerator, factor.denominator
    between = rng.choice(["", "", "", " \\cdot ", "\\,", " "] if is_latex else ["*", "*", " * "])
    if root[0].isdigit():
        between = " \\cdot "
    numerator = root if top == 1 else f"{top}{between}{root}"
    if isinstance(value.root, int) and bottom == 1 and rng.random() < RADICAND_SHARE:
        inner = value.root * top * top
        return f"\\sqrt{{{inner}}}" if is_latex else f"sqrt({inner})"
    if bottom == 1:
        return numerator
    if is_latex:
        ways = [f"\\frac{{{numerator}}}{{{bottom}}}"] * 3 + [
            f"\\frac{{{top}}}{{{bottom}}}{between}{root}",
            f"\\dfrac{{{numerator}}}{{{bottom}}}",
        ]
        if isinstance(value.root, int):  # a/b sqrt(n) = a n / (b sqrt(n))
            ways.append(f"\\frac{{{top * value.root}}}{{{bottom}\\sqrt{{{value.root}}}}}")
        return rng.choice(ways)
    return f"{numerator}/{bottom}"


def write_surd(rng: Random, value: Surd, is_gold: bool) -> str:
    """Write the number exactly, or in six to fifteen correct digits where it is the answer."""
    if not is_gold and rng.random() < DECIMAL_SHARE:
        return value.decimal(rng.randint(MINIMUM_DIGITS, 15))
    return write_exact_surd(rng, value, is_latex=is_gold or rng.random() < 0.6)


def write_exact_surd(rng: Random, value: Surd, *, is_latex: bool) -> str:
    term = write_term(rng, value, is_latex=is_latex)
    is_negative = value.factor < 0
    if not value.shift:
        return f"-{term}" if is_negative else term
    shift = str(value.shift) if not is_latex else write_rational(rng, value.shift, is_inner=True)
    if shift.startswith("\\left("):
        shift = str(value.shift)
    # 3e + 2 may be read as a printed float: the constant comes first.
    if rng.random() < 0.5 and not shift.startswith(("-", "−")) and value.root != "e":
        return f"-{term} + {shift}" if is_negative else f"{term} + {shift}"
    return rng.choice(
        [f"{shift} - {term}", f"{shift}-{term}"] if is_negative else [f"{shift} + {term}", f"{shift}+{term}"]
    )


def draw_exact(rng: Random) -> Fraction | Surd:
    return rng.choice([draw_integer, draw_rational, draw_rational, draw_surd, draw_surd])(rng)


def write_exact(rng: Random, value: Fraction | Surd, is_gold: bool) -> str:
    return write_surd(rng, value, is_gold) if isinstance(value, Surd) else write_rational(rng, value, is_gold=is_gold)


def change_exact(rng: Random, value: Fraction | Surd) -> Fraction | Surd:
    return change_surd(rng, value) if isinstance(value, Surd) else change_rational(rng, value)


def draw_evaluated(rng: Random) -> tuple[str, int, int]:
    """Return an operation with two whole arguments whose value is a whole number."""
    return rng.choice(
        [
            ("power", rng.randint(2, 12), rng.randint(2, 12)),
            ("factorial", rng.randint(3, 20), 0),
            ("binomial", rng.randint(5, 20), rng.randint(2, 4)),
            ("logarithm", rng.randint(2, 9), rng.randint(2, 9)),
        ]
    )


def whole_value(value: tuple[str, int, int]) -> int:
    operation, first, second = value
    values = {
        "power": first**second,
        "factorial": factorial(first),
        "binomial": comb(first, second),
        "logarithm": second,
    }
    return values[operation]


def write_evaluated(rng: Random, value: tuple[str, int, int], is_gold: bool) -> str:
    """Write the operation, or its value where it is the answer."""
    operation, first, second = value
    if not is_gold:
        return str(whole_value(value))
    ways = {
        "power": [f"{first}^{{{second}}}"],
        "factorial": [f"{first}!"],
        "binomial": [f"\\binom{{{first}}}{{{second}}}", f"\\dbinom{{{first}}}{{{second}}}"],
        "logarithm": [f"\\log_{{{first}}} {first**second}", f"\\log_{{{first}}}({first**second})"],
    }
    return rng.choice(ways[operation])


def change_evaluated(rng: Random, value: tuple[str, int, int]) -> tuple[str, int, int]:
    operation, first, second = value
    while True:
        changed = (operation, first + rng.choice([0, 1, -1]), second + rng.choice([0, 1, -1]))
        if changed[1] >= 2 and changed[2] >= 0 and whole_value(changed) != whole_value(value):
            return changed


def tiny_difference(rng: Random) -> tuple[str, str]:
    """Return two exact numbers that no floating-point tolerance tells apart."""
    power = rng.randint(60, 300)
    order = rng.randint(150, 2500)
    large = rng.randint(10**16, 10**30)
    return rng.choice(
        [
            (f"2^{{-{power}}}", f"2^{{-{power + 1}}}"),
            (f"\\frac{{1}}{{2^{{{power}}}}}", f"\\frac{{1}}{{2^{{{power + 2}}}}}"),
            (f"\\frac{{1}}{{{order}!}}", f"\\frac{{1}}{{{order + 2}!}}"),
            (str(large), str(large + 1)),
            (f"\\frac{{1}}{{{large}}}", f"\\frac{{1}}{{{large + 7}}}"),
            (f"1 - 10^{{-{power}}}", "1"),
        ]
    )


def few_digits(rng: Random) -> tuple[str, str]:
    """Return an exact number and its decimal of fewer than six digits, or one of more with a wrong digit."""
    value = draw_surd(rng)
    gold = write_surd(rng, value, True)
    if rng.random() < 0.5:
        return gold, value.decimal(rng.randint(2, MINIMUM_DIGITS - 1))
    text = value.decimal(rng.randint(MINIMUM_DIGITS + 1, 15))
    place = (
        rng.choice([index for index, letter in enumerate(text) if letter.isdigit() and index > text.index(".")])
        if "." in text
        else -1
    )
    digit = str((int(text[place]) + rng.randint(1, 9)) % 10)
    return gold, text[:place] + digit + (text[place + 1 :] if place != -1 else "")
