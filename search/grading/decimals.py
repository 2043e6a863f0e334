"""Decide whether a decimal is an exact value rounded to the decimal's own significant digits."""

from __future__ import annotations

import math
from fractions import Fraction

from search.grading.kinds import Number

LEAST_DIGITS = 6  # significant digits from which a decimal may stand for a value that it is the rounding of
FLOAT_DIGITS = 15  # significant digits from which a decimal is taken for a printed double
MOST_FLOAT_DIGITS = 17  # a double is printed with no more
FLOAT_ULPS = 4  # rounding errors of a short calculation in double precision, in units of the last place


def rounds_to(exact: Fraction, decimal: Fraction, digits: int) -> bool:
    """Return whether ``decimal`` is ``exact`` rounded to ``digits`` significant digits: 0.333333 of 1/3, not 0.33."""
    if digits < LEAST_DIGITS or not decimal or (exact > 0) != (decimal > 0):
        return False
    return abs(exact - decimal) <= unit_of_last_digit(decimal, digits) / 2


def unit_of_last_digit(decimal: Fraction, digits: int) -> Fraction:
    """Return the value of one unit in the last of ``digits`` significant digits: 1/100000 for 3.14159."""
    size = abs(decimal)
    exponent = len(str(size.numerator)) - len(str(size.denominator))
    if Fraction(10) ** exponent > size:
        exponent -= 1
    return Fraction(10) ** (exponent - digits + 1)


def is_printed_float(exact: Fraction, decimal: Fraction, digits: int, ulps: int = FLOAT_ULPS) -> bool:
    """Return whether ``decimal`` is ``exact`` up to the rounding errors of double precision: 0.30000000000000004 of 3/10."""
    if digits < FLOAT_DIGITS or digits > MOST_FLOAT_DIGITS:
        return False
    size = float(abs(decimal))
    return math.isfinite(size) and abs(exact - decimal) <= ulps * Fraction(math.ulp(size))


def numbers_equal(a: Number, b: Number) -> bool:
    """Return whether two rational numbers are equal, or one is a decimal that rounds the other."""
    if a.value == b.value:
        return True
    if a.digits is None and b.digits is None:
        return False
    if a.digits is not None and (b.digits is None or b.digits < a.digits):
        longer, shorter = a, b
    else:
        longer, shorter = b, a
    digits = longer.digits or 0
    if is_printed_float(shorter.value, longer.value, digits):
        return True
    if shorter.digits is None:
        return rounds_to(shorter.value, longer.value, digits)
    return digits >= FLOAT_DIGITS and rounds_to(longer.value, shorter.value, shorter.digits)
