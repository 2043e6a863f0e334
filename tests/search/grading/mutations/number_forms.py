"""Write and change rational numbers as repeating decimals, mixed numbers and scientific notation."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from tests.search.grading.mutations.rationals import (
    MINIMUM_DIGITS,
    SUPERSCRIPTS,
    VULGAR,
    change_rational,
    decimal_text,
    is_terminating,
    rounded_text,
    sign_of,
    write_fraction,
)


def draw_repeating(rng: Random) -> Fraction:
    while True:
        value = Fraction(
            rng.randint(1, 200),
            rng.choice([3, 6, 7, 9, 11, 12, 13, 15, 18, 22, 27, 33, 36, 37, 45, 66, 90, 99, 101, 111]),
        )
        if not is_terminating(value):
            return value * rng.choice([1, 1, 1, -1])


def repeating_parts(value: Fraction) -> tuple[str, str, str]:
    """Return whole part, digits before the period, and the period of a positive number."""
    whole, rest = divmod(value.numerator, value.denominator)
    digits, seen = "", {}
    while rest and rest not in seen:
        seen[rest] = len(digits)
        digit, rest = divmod(rest * 10, value.denominator)
        digits += str(digit)
    start = seen[rest] if rest else len(digits)
    return str(whole), digits[:start], digits[start:]


def write_period(rng: Random, value: Fraction) -> str:
    """Write a repeating decimal with a mark of its period."""
    whole, before, period = repeating_parts(abs(value))
    head = f"{sign_of(value)}{whole}.{before}"
    dots = f"\\dot{{{period[0]}}}" if len(period) == 1 else f"\\dot{{{period[0]}}}{period[1:-1]}\\dot{{{period[-1]}}}"
    repeated = period * max(3, -(-6 // len(period)))
    ways = [f"{head}\\overline{{{period}}}"] * 3 + [f"{head}({period})", f"{head}{dots}", f"{head}\\bar{{{period}}}"]
    ways += [
        f"{head}{repeated}...",
        f"{head}{repeated}\\ldots",
        f"{head}{repeated}…",
        f"{head}\\overline{{{period * 2}}}",
    ]
    ways += [head + "".join(f"{digit}\u0305" for digit in period)]
    return rng.choice(ways)


def write_repeating(rng: Random, value: Fraction, is_gold: bool) -> str:
    if is_gold or rng.random() < 0.5:
        return write_period(rng, value)
    if rng.random() < 0.3:
        return rounded_text(value, rng.randint(MINIMUM_DIGITS + 1, 15))
    return write_fraction(rng, value)


def change_repeating(rng: Random, value: Fraction) -> Fraction:
    """Return another repeating decimal."""
    while True:
        changed = rng.choice(
            [value + Fraction(1, 9), value + Fraction(1, 90), value * 10, value + 1, -value, value / 10]
        )
        if changed != value and not is_terminating(changed):
            return changed


def near_repeating(rng: Random) -> tuple[str, str]:
    """Return a fraction or its period, and a decimal of too few digits or with a wrong digit."""
    value = draw_repeating(rng)
    gold = rng.choice([write_fraction(rng, value, is_gold=True), write_period(rng, value)])
    if rng.random() < 0.6:
        return gold, rounded_text(value, rng.randint(2, MINIMUM_DIGITS - 1))
    text = rounded_text(value, rng.randint(MINIMUM_DIGITS + 1, 12))
    digit = (int(text[-1]) + rng.randint(1, 9)) % 10
    return gold, f"{text[:-1]}{digit}"


def draw_mixed(rng: Random) -> Fraction:
    bottom = rng.randint(2, 25)
    return rng.choice([-1, 1, 1]) * (rng.randint(1, 40) + Fraction(rng.randint(1, bottom - 1), bottom))


def write_mixed(rng: Random, value: Fraction, is_gold: bool) -> str:
    """Write a number beyond one that is no integer as a mixed number, or as a fraction where it is the answer."""
    if not is_gold and rng.random() < 0.5:
        return write_fraction(rng, value)
    sign = sign_of(value)
    whole, rest = divmod(abs(value.numerator), value.denominator)
    top, bottom = rest, value.denominator
    ways = [f"{sign}{whole} {top}/{bottom}"] * 2 + [f"{sign}{whole}\\frac{{{top}}}{{{bottom}}}"] * 3
    ways += [
        f"{sign}{whole}\\tfrac{{{top}}}{{{bottom}}}",
        f"{sign}{whole} \\dfrac{{{top}}}{{{bottom}}}",
        f"{sign}{whole}\\,\\frac{{{top}}}{{{bottom}}}",
    ]
    ways += [f"{sign}{whole}\\ \\frac{{{top}}}{{{bottom}}}", f"{sign}{whole} ({top}/{bottom})"]
    if not sign:
        ways += [f"{whole} + {top}/{bottom}", f"{whole}+\\frac{{{top}}}{{{bottom}}}", f"{whole} and {top}/{bottom}"]
    if top < 10 and bottom < 10:
        ways.append(f"{sign}{whole}\\frac{top}{bottom}")
    if (top, bottom) in VULGAR:
        ways += [f"{sign}{whole}{VULGAR[top, bottom]}"] * 2
    return rng.choice(ways)


def change_mixed(rng: Random, value: Fraction) -> Fraction:
    """Return another number that is no integer and beyond one."""
    while True:
        changed = change_rational(rng, value)
        if changed.denominator > 1 and abs(changed) > 1:
            return changed


def near_mixed(rng: Random) -> tuple[str, str]:
    """Return a mixed number, and the product or the fraction that its parts would make."""
    whole, top = rng.randint(2, 30), rng.randint(1, 8)
    bottom = rng.randint(top + 1, 12)
    mixed = rng.choice([f"{whole}\\frac{{{top}}}{{{bottom}}}", f"{whole} {top}/{bottom}"])
    misses = [f"\\frac{{{whole * top}}}{{{bottom}}}", f"{whole} \\cdot \\frac{{{top}}}{{{bottom}}}"]
    if Fraction(int(f"{whole}{top}"), bottom) != whole + Fraction(top, bottom):  # but 17 5/10 = 175/10
        misses.append(f"{whole}{top}/{bottom}")
    misses += [f"{whole} - \\frac{{{top}}}{{{bottom}}}", f"\\frac{{{top}}}{{{bottom}}}", str(whole)]
    return mixed, rng.choice(misses)


def draw_scientific(rng: Random) -> Fraction:
    mantissa = Fraction(rng.randint(10, 9999), 10 ** rng.randint(1, 3))
    return rng.choice([-1, 1, 1, 1]) * mantissa * Fraction(10) ** rng.choice([*range(-25, -3), *range(3, 31)])


def write_scientific(rng: Random, value: Fraction, is_gold: bool) -> str:
    """Write a number as mantissa and power of ten, or in full where it is the answer."""
    if not is_gold and rng.random() < 0.15:
        return decimal_text(value)
    exponent = rng.choice([0, 0, 0, 1, -1])
    while abs(value) >= Fraction(10) ** (exponent + 1):
        exponent += 1
    while abs(value) < Fraction(10) ** exponent:
        exponent -= 1
    exponent += rng.choice([0, 0, 0, 1, -1])
    mantissa = decimal_text(value / Fraction(10) ** exponent)
    ways = [f"{mantissa} \\times 10^{{{exponent}}}"] * 3 + [
        f"{mantissa}\\times10^{{{exponent}}}",
        f"{mantissa} \\cdot 10^{{{exponent}}}",
    ]
    ways += [
        f"{mantissa}e{exponent}",
        f"{mantissa}E{exponent:+03d}",
        f"{mantissa}*10^{{{exponent}}}",
        f"{mantissa}*10**({exponent})",
    ]
    ways += [
        f"{mantissa}×10{str(exponent).translate(SUPERSCRIPTS)}",
        f"{mantissa} · 10{str(exponent).translate(SUPERSCRIPTS)}",
    ]
    ways += [
        f"{mantissa} x 10^{exponent}",
        f"{mantissa}e{exponent:+d}",
        f"10^{{{exponent}}} \\times {mantissa}" if value > 0 else mantissa + f"e{exponent}",
    ]
    return rng.choice(ways)


def change_scientific(rng: Random, value: Fraction) -> Fraction:
    changes = [value * 10, value / 10, -value, value * 1000, 1 / value, value * Fraction(rng.randint(11, 19), 10)]
    return rng.choice([changed for changed in changes if changed != value and is_terminating(changed)])
