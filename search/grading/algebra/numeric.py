"""Decide equality of values by evaluation to many digits. Runs in the child process only: its cost has no bound here.

Two constants are equal if they agree to CONFIRMED digits, relative to their largest terms. Two functions are equal if they
agree so at random points: of positive values always, of negative ones where both are real. An identity of analytic
functions that holds at random points holds everywhere.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from hashlib import blake2b
from typing import Any

import mpmath
from mpmath import mp

from search.grading.decimals import FLOAT_DIGITS, FLOAT_ULPS, MOST_FLOAT_DIGITS, unit_of_last_digit
from search.grading.values.forms import HALF, Atom, Polynomial, Value, symbols

SCREENED, CONFIRMED = 40, 150  # digits of the first and of the deciding comparison
SPREAD = 100  # digits between the largest and the smallest term of a sum
GUARD = 20  # further digits of the computation
POSITIVE_POINTS, SIGNED_POINTS = 3, 3
MAX_MAGNITUDE = 1 << 10  # bits before the point of an argument of a function or of an exponent
LEAST_POINTS = 2  # points at which both sides must have a value
Number = Any  # mpf or mpc

FUNCTIONS: dict[str, Callable[..., Number]] = {
    "ln": mpmath.log, "plain_log": mpmath.log, "log": mpmath.log10, "sin": mpmath.sin, "cos": mpmath.cos, "tan": mpmath.tan,
    "cot": mpmath.cot, "sec": mpmath.sec, "csc": mpmath.csc, "arcsin": mpmath.asin, "arccos": mpmath.acos, "arctan": mpmath.atan,
    "acot": mpmath.acot, "sinh": mpmath.sinh, "cosh": mpmath.cosh, "tanh": mpmath.tanh, "coth": mpmath.coth, "arsinh": mpmath.asinh,
    "arcosh": mpmath.acosh, "artanh": mpmath.atanh, "abs": mpmath.fabs, "factorial": mpmath.factorial, "Gamma": mpmath.gamma,
    "floor": mpmath.floor, "ceil": mpmath.ceil, "sign": mpmath.sign, "re": mpmath.re, "im": mpmath.im, "binomial": mpmath.binomial,
    "mod": lambda a, b: a - b * mpmath.floor(a / b), "max": lambda *args: max(args), "min": lambda *args: min(args),
}  # fmt: skip


class NoValue(ArithmeticError):
    """A value cannot be evaluated at a point."""


class NumericAlgebra:
    """Decides about values by evaluation."""

    def equal(self, a: Value, b: Value) -> bool | None:
        names = sorted(symbols(a) | symbols(b))
        if not names:
            return self._agree(a, b, {}, only_real=False)
        compared = 0
        for point, is_positive in points(names):
            verdict = self._agree(a, b, point, only_real=not is_positive)
            if verdict is False:
                return False
            compared += verdict is True
        return True if compared >= LEAST_POINTS else None

    def rounds_to(self, exact: Value, decimal: Fraction, digits: int) -> bool | None:
        with mp.workdps(digits + GUARD):
            try:
                value, size = evaluate(exact, {})
            except (ArithmeticError, ValueError):
                return None
            if mpmath.im(value) != 0 and abs(mpmath.im(value)) > abs(value) * mpmath.mpf(10) ** -digits:
                return False
            difference = abs(mpmath.re(value) - _number(decimal))
            tolerance = unit_of_last_digit(decimal, digits) / 2
            if FLOAT_DIGITS <= digits <= MOST_FLOAT_DIGITS:
                tolerance = max(
                    tolerance, FLOAT_ULPS * Fraction(math.ulp(float(abs(decimal)))), Fraction(math.ulp(float(size)))
                )
            return bool(difference <= _number(tolerance))

    def _agree(self, a: Value, b: Value, point: Mapping[str, Fraction], only_real: bool) -> bool | None:
        """Return whether two values agree at a point; None where one has no value, or is not real if it should be."""
        for digits in (SCREENED, CONFIRMED):
            with mp.workdps(digits + GUARD):
                try:
                    (left, left_scale), (right, right_scale) = evaluate(a, point), evaluate(b, point)
                except (ArithmeticError, ValueError, TypeError):
                    return None
                if not (mpmath.isfinite(left) and mpmath.isfinite(right)):
                    return None
                scale = max(left_scale, right_scale)
                tolerance = scale * mpmath.mpf(10) ** -digits
                if only_real and (abs(mpmath.im(left)) > tolerance or abs(mpmath.im(right)) > tolerance):
                    return None
                if abs(left - right) > tolerance:
                    return False
        return True


def points(names: list[str]) -> Iterator[tuple[dict[str, Fraction], bool]]:
    """Yield points at which values are compared, the same for the same names, and whether all coordinates are positive."""
    rng = random.Random("\x1f".join(names))
    for i in range(POSITIVE_POINTS + SIGNED_POINTS):
        is_positive = i < POSITIVE_POINTS
        point = {name: Fraction(rng.randrange(10_001, 39_999), 10_007) for name in names}
        if not is_positive:
            point = {name: value * rng.choice((-1, 1) if len(names) > 1 else (-1,)) for name, value in point.items()}
        yield point, is_positive


def evaluate(value: Value, point: Mapping[str, Fraction]) -> tuple[Number, Number]:
    """Return a value at a point, and the size of its largest term. Raises ArithmeticError without a value."""
    if isinstance(value, Fraction):
        number = _number(value)
        return number, abs(number)
    above, size = _polynomial(value.num, point)
    below, below_size = _polynomial(value.den, point)
    if abs(below) <= below_size * mpmath.mpf(10) ** (GUARD // 2 - mp.dps):
        raise NoValue("division by zero")
    return above / below, size / abs(below)


def _polynomial(poly: Polynomial, point: Mapping[str, Fraction]) -> tuple[Number, Number]:
    total, size, least = mpmath.mpf(0), mpmath.mpf(0), mpmath.mpf("inf")
    for mono, coefficient in poly.items():
        term = _number(coefficient)
        for atom, exponent in mono:
            term *= _power(_atom(atom, point), exponent)
        total += term
        size = max(size, abs(term))
        least = min(least, abs(term)) if term else least
    if size > least * mpmath.mpf(10) ** SPREAD:
        raise NoValue("a term too small to see beside another")
    return total, size


def _number(value: Fraction) -> Number:
    return mpmath.mpf(value.numerator) / value.denominator


def _power(base: Number, exponent: Fraction) -> Number:
    """Return a power: the real one for roots of odd order of a negative base."""
    _check_size(exponent.numerator, exponent.denominator)
    if exponent.denominator == 1:
        return base**exponent.numerator
    if mpmath.im(base) == 0 and mpmath.re(base) < 0 and exponent.denominator % 2:
        root = mpmath.power(-mpmath.re(base), _number(exponent))
        return -root if exponent.numerator % 2 else root
    if exponent == HALF:
        return mpmath.sqrt(base)
    return mpmath.power(base, _number(exponent))


def _check_size(*arguments: Number) -> None:
    """Raise NoValue if an argument of a function is so large that its digits before the point take long to compute.

    The exponential and the sine of x need as many digits as x has bits before the point, however few are asked for.
    """
    if any(argument and mpmath.isfinite(argument) and mpmath.mag(argument) > MAX_MAGNITUDE for argument in arguments):
        raise NoValue("an argument too large to evaluate")


def _atom(atom: Atom, point: Mapping[str, Fraction]) -> Number:
    if not atom.fn:
        return _number(point[atom.name])
    if atom.fn in ("prime", "composite"):
        return mpmath.mpf(int(atom.name, 0))
    if atom.fn == "const":
        return {"pi": mpmath.pi, "e": mpmath.e}[atom.name] * 1 if atom.name != "i" else mpmath.mpc(0, 1)
    args = [evaluate(arg, point)[0] for arg in atom.args]
    _check_size(*args)
    if atom.fn == "pow":
        exponent = atom.args[1]
        return _power(args[0], exponent) if isinstance(exponent, Fraction) else mpmath.power(*args)
    known = FUNCTIONS.get(atom.fn)
    if known is not None:
        return known(*args)
    if atom.fn[:1] in "fg" and atom.fn[1:2] in ("", "'", "_"):
        seed = int.from_bytes(blake2b(atom.fn.encode(), digest_size=4).digest()) / 2**32
        return mpmath.sin(sum((k + 1 + seed) * arg for k, arg in enumerate(args))) + 2 + seed  # any function will do
    raise NoValue(atom.fn)
