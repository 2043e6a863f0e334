r"""Compute powers and roots of exact values: ``\\sqrt{12}`` is 2 * 3^(1/2), ``(x+1)^2`` is multiplied out."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, lcm

from search.grading.values.forms import (
    MAX_BITS,
    ONE,
    PI,
    UNIT,
    ZERO,
    Atom,
    E,
    Form,
    I,
    Monomial,
    Polynomial,
    TooLarge,
    Value,
    atom_value,
    divide,
    function,
    make,
    multiply,
    reduced,
    scaled,
    whole,
)

MAX_EXPANDED = 16  # largest power of a sum that is multiplied out
TRIAL_PRIMES = 2000  # primes below are divided out of radicands


def power(base: Value, exponent: Value) -> Value:
    """Return base^exponent. Raises ZeroDivisionError, and TooLarge where not even a symbolic power stands for it."""
    if isinstance(exponent, Fraction):
        if exponent.denominator == 1:
            return integer_power(base, exponent.numerator)
        if isinstance(base, Fraction):
            return rational_root(base, exponent)
        return _form_root(base, exponent)
    if isinstance(base, Fraction) and base in (0, 1):
        return base
    return function("pow", base, exponent)


def integer_power(base: Value, exponent: int) -> Value:
    if isinstance(base, Fraction):
        size = max(base.numerator.bit_length(), base.denominator.bit_length())
        if size > 1 and size * abs(exponent) > MAX_BITS:
            return function("pow", base, Fraction(exponent))
        return base**exponent
    if exponent < 0:
        return divide(ONE, integer_power(base, -exponent))
    if len(base.num) == 1 and base.den == UNIT:
        ((mono, coefficient),) = base.num.items()
        raised: Monomial = tuple((atom, old * exponent) for atom, old in mono)
        scale = integer_power(coefficient, exponent)
        try:
            return multiply(scale, make(reduced({raised: ONE}), UNIT))
        except TooLarge:
            return function("pow", base, Fraction(exponent))
    if exponent > MAX_EXPANDED:
        return function("pow", base, Fraction(exponent))
    result: Value = ONE
    for _ in range(exponent):
        result = multiply(result, base)
    return result


def rational_root(base: Fraction, exponent: Fraction) -> Value:
    """Return the real power of a rational: of a negative base for odd roots too, i times the root for square roots."""
    if base == 0:
        if exponent < 0:
            raise ZeroDivisionError("0 to a negative power")
        return ZERO
    if base < 0:
        if exponent.denominator == 2:
            turn = integer_power(atom_value(I), exponent.numerator)
            return multiply(turn, rational_root(-base, exponent))
        if exponent.denominator % 2 == 0:
            return function("pow", base, exponent)
        sign = Fraction(-1 if exponent.numerator % 2 else 1)
        return multiply(sign, rational_root(-base, exponent))
    result: Value = ONE
    for number, sign_of in ((base.numerator, 1), (base.denominator, -1)):
        for prime, count in prime_powers(number):
            total = exponent * count * sign_of
            if abs(total) * prime.bit_length() > MAX_BITS:
                return function("pow", base, exponent)
            known = prime < TRIAL_PRIMES**2
            atom = Atom(whole(prime), "prime" if known else "composite")
            result = multiply(result, make(reduced({((atom, total),): ONE}), UNIT))
    return result


def prime_powers(number: int) -> list[tuple[int, int]]:
    """Return the prime factors below TRIAL_PRIMES with their exponents, then what is left, with exponent 1."""
    factors: list[tuple[int, int]] = []
    divisor = 2
    while divisor < TRIAL_PRIMES and divisor * divisor <= number:
        count = 0
        while number % divisor == 0:
            number //= divisor
            count += 1
        if count:
            factors.append((divisor, count))
        divisor += 1 if divisor == 2 else 2
    return [*factors, (number, 1)] if number > 1 else factors


def _form_root(base: Form, exponent: Fraction) -> Value:
    """Take positive rational and constant factors out of a root: (c * P)^r = c^r * P^r for c > 0."""
    if base.den != UNIT:
        return function("pow", base, exponent)
    if len(base.num) == 1:
        ((mono, coefficient),) = base.num.items()
        positive = all(atom.fn == "prime" or atom in (PI, E) for atom, _ in mono)
        single = len(mono) == 1 and mono[0][1] == 1 and mono[0][0] != I
        if coefficient > 0 and (positive or single):
            raised: Monomial = tuple((atom, old * exponent) for atom, old in mono)
            try:
                return multiply(rational_root(coefficient, exponent), make(reduced({raised: ONE}), UNIT))
            except TooLarge:
                return function("pow", base, exponent)
    content = content_of(base.num)
    if content == 1:
        return function("pow", base, exponent)
    inside = Form(scaled(base.num, 1 / content), UNIT)
    return multiply(rational_root(content, exponent), function("pow", inside, exponent))


def content_of(poly: Polynomial) -> Fraction:
    """Return the positive rational c for which poly / c has whole coefficients without a common factor."""
    above = below = 0
    for coefficient in poly.values():
        above = gcd(above, coefficient.numerator)
        below = lcm(below or 1, coefficient.denominator)
    return Fraction(above, below)
