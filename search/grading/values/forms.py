r"""Compute with exact values: rationals, and polynomial fractions over radicals, constants, symbols and function values.

A value is a ``Fraction`` or a ``Form``, a quotient of two polynomials with rational coefficients. Their indeterminates are
atoms: symbols, pi, e, i, primes (with exponents in [0, 1), so sqrt(12) is 2 * 3^(1/2)) and function values. Products of
distinct prime radicals are linearly independent over the rationals (Besicovitch 1940), so two forms without function
values are equal only if their normal forms are.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

MAX_TERMS = 300  # terms of a polynomial
MAX_BITS = 1 << 16  # bits of a number
SMALL_DIGITS = 8000  # bits up to which a whole number is printed in decimal


class TooLarge(ArithmeticError):
    """A value exceeds the limits of exact arithmetic."""


@dataclass(frozen=True, eq=False)
class Atom:
    """An indeterminate. ``fn`` is "" for a symbol, "const" for pi, e and i, "prime", or the name of a function."""

    name: str
    fn: str = ""
    args: tuple[Value, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atom) and self.name == other.name

    @cached_property
    def _hash(self) -> int:
        return hash(self.name)

    def __hash__(self) -> int:
        return self._hash


Monomial: TypeAlias = tuple[tuple[Atom, Fraction], ...]
Polynomial: TypeAlias = dict[Monomial, Fraction]


@dataclass(frozen=True, eq=False, slots=True)
class Form:
    """A quotient of polynomials that is no rational number."""

    num: Polynomial
    den: Polynomial


Value: TypeAlias = "Fraction | Form"

ZERO, ONE, HALF = Fraction(0), Fraction(1), Fraction(1, 2)
UNIT: Polynomial = {(): ONE}
PI, E, I = Atom("pi", "const"), Atom("e", "const"), Atom("i", "const")  # noqa: E741 - the imaginary unit


def atom_value(atom: Atom) -> Form:
    return Form({((atom, ONE),): ONE}, UNIT)


def symbol(name: str) -> Form:
    """Return the value of a symbol. ``name`` must not be that of a constant."""
    return atom_value(Atom(name))


def add(a: Value, b: Value) -> Value:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a + b
    left, right = _lift(a), _lift(b)
    if left.den == right.den:
        return make(_sum(left.num, right.num), left.den)
    return make(_sum(_product(left.num, right.den), _product(right.num, left.den)), _product(left.den, right.den))


def multiply(a: Value, b: Value) -> Value:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return check_size(a * b)
    left, right = _lift(a), _lift(b)
    return make(_product(left.num, right.num), _product(left.den, right.den))


def negate(a: Value) -> Value:
    return -a if isinstance(a, Fraction) else Form(scaled(a.num, -ONE), a.den)


def subtract(a: Value, b: Value) -> Value:
    return add(a, negate(b))


def divide(a: Value, b: Value) -> Value:
    """Return a / b. Raises ZeroDivisionError."""
    if isinstance(b, Fraction):
        if not b:
            raise ZeroDivisionError("division by zero")
        return multiply(a, 1 / b)
    return multiply(a, Form(b.den, b.num))


def make(num: Polynomial, den: Polynomial) -> Value:
    """Return num / den in normal form: monomial denominators divided out, the leading coefficient of the others 1."""
    if not num:
        return ZERO
    if len(den) == 1:
        ((mono, coefficient),) = den.items()
        if mono or coefficient != 1:
            inverse: Monomial = tuple((atom, -exponent) for atom, exponent in mono)
            num, den = _product(num, reduced({inverse: 1 / coefficient})), UNIT
    else:
        ratio = proportion(num, den)
        if ratio is not None:
            return ratio
        lead = den[leading(den)]
        if lead != 1:
            num, den = scaled(num, 1 / lead), scaled(den, 1 / lead)
    if den == UNIT and len(num) == 1 and () in num:
        return check_size(num[()])
    return Form(num, den) if num else ZERO


def leading(poly: Polynomial) -> Monomial:
    """Return the monomial that sorts first: of highest degree, then by name."""
    return min(poly, key=monomial_order)


def monomial_order(mono: Monomial) -> tuple[Fraction, list[tuple[str, Fraction]]]:
    """Sort key of monomials: high degrees in symbols first, then by name, then high exponents first."""
    degree = sum((exponent for atom, exponent in mono if not atom.fn), ZERO)
    return -degree, [(atom.name, -exponent) for atom, exponent in mono] or [("~", ZERO)]


def proportion(a: Polynomial, b: Polynomial) -> Fraction | None:
    """Return the rational c with a = c * b, None if there is none."""
    if len(a) != len(b):
        return None
    ratio: Fraction | None = None
    for mono, coefficient in b.items():
        other = a.get(mono)
        if other is None or (ratio is not None and other != ratio * coefficient):
            return None
        ratio = other / coefficient
    return ratio


def is_equal(a: Value, b: Value) -> bool | None:
    """Return whether two values are equal, None if exact arithmetic cannot decide."""
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a == b
    try:
        left, right = _lift(a), _lift(b)
        difference = _sum(_product(left.num, right.den), scaled(_product(right.num, left.den), -ONE))
    except TooLarge:
        return None
    if not difference:
        return True
    return False if is_decidable(a) and is_decidable(b) else None


def is_decidable(value: Value) -> bool:
    """Return whether equality of ``value`` with another decidable value is equality of their normal forms."""
    return isinstance(value, Fraction) or all(
        atom.fn in ("", "const", "prime") for poly in (value.num, value.den) for mono in poly for atom, _ in mono
    )


def symbols(value: Value) -> frozenset[str]:
    """Return the names of the symbols in a value, those in arguments of functions included."""
    result: set[str] = set()
    if isinstance(value, Form):
        for poly in (value.num, value.den):
            for mono in poly:
                for atom, _ in mono:
                    if not atom.fn:
                        result.add(atom.name)
                    for arg in atom.args:
                        result |= symbols(arg)
    return frozenset(result)


def is_constant(value: Value) -> bool:
    return isinstance(value, Fraction) or not symbols(value)


def function(name: str, *args: Value) -> Form:
    """Return the value of a function as an atom, which equals another only if name and arguments have one normal form."""
    return atom_value(Atom(f"{name}({','.join(map(text, args))})", name, args))


def check_size(number: Fraction) -> Fraction:
    if number.numerator.bit_length() > 2 * MAX_BITS or number.denominator.bit_length() > 2 * MAX_BITS:
        raise TooLarge("a number with too many digits")
    return number


def _lift(value: Value) -> Form:
    if isinstance(value, Form):
        return value
    return Form({(): value} if value else {}, UNIT)


def scaled(poly: Polynomial, factor: Fraction) -> Polynomial:
    return {mono: coefficient * factor for mono, coefficient in poly.items()}


def _sum(a: Polynomial, b: Polynomial) -> Polynomial:
    total = dict(a)
    for mono, coefficient in b.items():
        new = total.get(mono, ZERO) + coefficient
        if new:
            total[mono] = new
        else:
            del total[mono]
    return total


def _product(a: Polynomial, b: Polynomial) -> Polynomial:
    if a == UNIT:
        return b
    if b == UNIT:
        return a
    if len(a) * len(b) > 4 * MAX_TERMS:
        raise TooLarge("a product with too many terms")
    total: Polynomial = {}
    for left, p in a.items():
        for right, q in b.items():
            mono, factor = _joined(left, right)
            new = total.get(mono, ZERO) + p * q * factor
            if new:
                total[mono] = check_size(new)
            else:
                total.pop(mono, None)
    if len(total) > MAX_TERMS:
        raise TooLarge("a sum of too many terms")
    return total


def _joined(left: Monomial, right: Monomial) -> tuple[Monomial, Fraction]:
    """Return the product of two reduced monomials: a reduced monomial and a rational factor."""
    if not right:
        return left, ONE
    if not left:
        return right, ONE
    exponents = dict(left)
    for atom, exponent in right:
        exponents[atom] = exponents.get(atom, ZERO) + exponent
    return _reduce(exponents)


def reduced(poly: Polynomial) -> Polynomial:
    """Reduce the exponents of one monomial with its coefficient."""
    ((mono, coefficient),) = poly.items()
    normal, factor = _reduce(dict(mono))
    return {normal: check_size(coefficient * factor)}


def _reduce(exponents: dict[Atom, Fraction]) -> tuple[Monomial, Fraction]:
    """Bring exponents of primes into [0, 1) and that of i to 0 or 1; return the monomial and the factor taken out."""
    factor, kept = ONE, []
    for atom, exponent in exponents.items():
        if atom.fn in ("prime", "composite"):
            floor = exponent.numerator // exponent.denominator
            if floor:
                base = int(atom.name, 0)
                if abs(floor) * base.bit_length() > 2 * MAX_BITS:
                    raise TooLarge("a power with too many digits")
                factor *= Fraction(base) ** floor
                exponent -= floor
        elif atom == I and exponent.denominator == 1:
            turns = exponent.numerator % 4
            factor *= -1 if turns >= 2 else 1
            exponent = Fraction(turns % 2)
        if exponent:
            kept.append((atom, exponent))
    if len(kept) > 1:
        kept.sort(key=lambda pair: pair[0].name)
    return tuple(kept), factor


def whole(number: int) -> str:
    """Return a whole number as text, hexadecimal where Python refuses to print so many digits."""
    return str(number) if number.bit_length() < SMALL_DIGITS else hex(number)


def text(value: Value) -> str:
    """Return a value as text: equal for equal normal forms. ``x^2+2*x``, ``1/2``, ``(x+1)/(x+2)``."""
    if isinstance(value, Fraction):
        above = whole(value.numerator)
        return above if value.denominator == 1 else f"{above}/{whole(value.denominator)}"
    num = _polynomial_text(value.num)
    return num if value.den == UNIT else f"({num})/({_polynomial_text(value.den)})"


def _polynomial_text(poly: Polynomial) -> str:
    parts: list[str] = []
    for mono in sorted(poly, key=monomial_order):
        coefficient = poly[mono]
        factors = [atom.name + ("" if exponent == 1 else f"^{_exponent_text(exponent)}") for atom, exponent in mono]
        if abs(coefficient) != 1 or not factors:
            factors.insert(0, text(abs(coefficient)))
        parts.append(("-" if coefficient < 0 else "+") + "*".join(factors))
    return "".join(parts).removeprefix("+")


def _exponent_text(exponent: Fraction) -> str:
    shown = text(exponent)
    return shown if shown.isalnum() else f"({shown})"
