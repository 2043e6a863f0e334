"""Unite and intersect sets of reals, given as ordered intervals with exact ends."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cmp_to_key
from itertools import pairwise

from search.grading.kinds import Expression, Number, Piece, RealSet
from search.grading.values.forms import Atom, Form, Polynomial, Value, is_equal

CONSTANTS = {"pi": math.pi, "e": math.e, "i": 1j}
FUNCTIONS: dict[str, Callable[..., complex]] = {
    "ln": cmath.log, "sin": cmath.sin, "cos": cmath.cos, "tan": cmath.tan, "arcsin": cmath.asin, "arccos": cmath.acos,
    "arctan": cmath.atan, "abs": abs, "log": cmath.log10, "pow": pow,
}  # fmt: skip


class NoOrder(ArithmeticError):
    """The order of two ends is unknown."""


def approximate(value: Value) -> complex:
    """Return the value of a constant in floating point, to order the ends of intervals. Raises ArithmeticError without one."""
    if isinstance(value, Fraction):
        return float(value)
    return _polynomial(value.num) / _polynomial(value.den)


def _polynomial(poly: Polynomial) -> complex:
    total: complex = 0.0
    for mono, coefficient in poly.items():
        term: complex = float(coefficient)
        for atom, exponent in mono:
            term *= _atom(atom) ** float(exponent)
        total += term
    return total


def _atom(atom: Atom) -> complex:
    if atom.fn in ("prime", "composite"):
        return float(int(atom.name, 0))
    if atom.fn == "const":
        return CONSTANTS[atom.name]
    if atom.fn not in FUNCTIONS:
        raise NoOrder(atom.name)
    return complex(FUNCTIONS[atom.fn](*map(approximate, atom.args)))


def compare_ends(a: Number | Expression, b: Number | Expression) -> int:
    """Return -1, 0 or 1 as a is below, at or above b. Raises NoOrder."""
    if is_equal(a.value, b.value):
        return 0
    if isinstance(a, Number) and isinstance(b, Number):
        return -1 if a.value < b.value else 1
    try:
        left, right = approximate(a.value), approximate(b.value)
    except (ArithmeticError, ValueError, TypeError) as error:
        raise NoOrder(str(error)) from error
    if abs(left.imag) > 1e-9 or abs(right.imag) > 1e-9 or math.isclose(left.real, right.real, rel_tol=1e-9):
        raise NoOrder("ends too close to order")
    return -1 if left.real < right.real else 1


def union(sets: Sequence[RealSet]) -> RealSet:
    """Return the union in ascending order, touching intervals merged. Raises NoOrder for ends that cannot be ordered."""
    pieces = sorted((piece for each in sets for piece in each.pieces), key=cmp_to_key(_compare_lows))
    merged: list[Piece] = []
    for piece in pieces:
        if merged and _touches(merged[-1], piece):
            merged[-1] = _hull(merged[-1], piece)
        else:
            merged.append(piece)
    return RealSet(tuple(merged), _variable(sets))


def _variable(sets: Sequence[RealSet]) -> str:
    return next((each.variable for each in sets if each.variable), "")


def _compare_lows(a: Piece, b: Piece) -> int:
    if a.low is None or b.low is None:
        return (a.low is not None) - (b.low is not None)
    return compare_ends(a.low, b.low) or b.low_closed - a.low_closed


def _touches(first: Piece, second: Piece) -> bool:
    if first.high is None or second.low is None:
        return True
    order = compare_ends(second.low, first.high)
    return order < 0 or (order == 0 and (first.high_closed or second.low_closed))


def _hull(first: Piece, second: Piece) -> Piece:
    if first.high is None or second.high is None:
        return Piece(first.low, None, first.low_closed)
    order = compare_ends(first.high, second.high)
    high, closed = (second.high, second.high_closed) if order < 0 else (first.high, first.high_closed)
    return Piece(first.low, high, first.low_closed, closed or (order == 0 and second.high_closed))


def intersection(a: RealSet, b: RealSet) -> RealSet:
    """Return the intersection. Raises NoOrder for ends that cannot be ordered."""
    pieces = [piece for x in a.pieces for y in b.pieces if (piece := _overlap(x, y)) is not None]
    return union([RealSet(tuple(pieces), a.variable or b.variable)])


def _overlap(a: Piece, b: Piece) -> Piece | None:
    low, low_closed = a.low, a.low_closed
    if low is None or (b.low is not None and compare_ends(b.low, low) > 0):
        low, low_closed = b.low, b.low_closed
    elif b.low is not None and compare_ends(b.low, low) == 0:
        low_closed = low_closed and b.low_closed
    high, high_closed = a.high, a.high_closed
    if high is None or (b.high is not None and compare_ends(b.high, high) < 0):
        high, high_closed = b.high, b.high_closed
    elif b.high is not None and compare_ends(b.high, high) == 0:
        high_closed = high_closed and b.high_closed
    if low is not None and high is not None:
        order = compare_ends(low, high)
        if order > 0 or (order == 0 and not (low_closed and high_closed)):
            return None
    return Piece(low, high, low_closed, high_closed)


def complement(points: Sequence[Number | Expression]) -> RealSet:
    """Return the reals without some points. Raises NoOrder."""
    ordered = sorted(points, key=cmp_to_key(compare_ends))
    distinct = [p for i, p in enumerate(ordered) if not i or compare_ends(ordered[i - 1], p) != 0]
    ends: list[Number | Expression | None] = [None, *distinct, None]
    return RealSet(tuple(Piece(low, high) for low, high in pairwise(ends)))


def is_empty(low: Number | Expression | None, high: Number | Expression | None) -> bool:
    """Return whether the first end is not below the second, so that they bound no interval."""
    return low is not None and high is not None and compare_ends(low, high) >= 0


__all__ = ["Form", "NoOrder", "approximate", "compare_ends", "complement", "intersection", "is_empty", "union"]
