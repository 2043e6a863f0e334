"""Rewrite names that are spelled differently on two sides: Python's E and I, and ``log`` for the natural logarithm."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from search.grading.values.forms import Atom, E, Form, I, Polynomial, Value, add, atom_value, divide, function, multiply
from search.grading.values.powers import power

PRINTED = {"E": E, "I": I}
PLAIN_LOG = "plain_log"  # log written without a backslash: natural in Python, to base 10 on paper


def atoms(value: Value) -> set[Atom]:
    """Return the atoms of a value, those in arguments included."""
    result: set[Atom] = set()
    if isinstance(value, Form):
        for poly in (value.num, value.den):
            for mono in poly:
                for atom, _ in mono:
                    result.add(atom)
                    for arg in atom.args:
                        result |= atoms(arg)
    return result


def rebuild(value: Value, change: Callable[[Atom], Value | None]) -> Value:
    """Return a value with some atoms replaced; ``change`` returns None for those that stay."""
    if isinstance(value, Fraction):
        return value
    return divide(_polynomial(value.num, change), _polynomial(value.den, change))


def _polynomial(poly: Polynomial, change: Callable[[Atom], Value | None]) -> Value:
    total: Value = Fraction(0)
    for mono, coefficient in poly.items():
        term: Value = coefficient
        for atom, exponent in mono:
            base = change(atom)
            if base is None:
                args = [rebuild(arg, change) for arg in atom.args]
                base = (
                    Form({((atom, Fraction(1)),): Fraction(1)}, {(): Fraction(1)}) if not args else _call(atom.fn, args)
                )
            term = multiply(term, power(base, exponent))
        total = add(total, term)
    return total


def _call(name: str, args: list[Value]) -> Value:
    if name == "pow":
        return power(args[0], args[1])
    return function(name, *args)


def same_spelling(a: Value, b: Value) -> tuple[Value, Value] | None:
    """Return both values in one spelling, None if they are spelled alike already."""
    left, right = atoms(a), atoms(b)
    has_plain = [any(atom.fn == PLAIN_LOG for atom in side) for side in (left, right)]
    results: list[Value] = []
    changed = False
    for value, itself, other, is_plain in ((a, left, right, has_plain[0]), (b, right, left, has_plain[1])):
        printed = {
            name: constant
            for name, constant in PRINTED.items()
            if Atom(name) in itself and constant in other and constant not in itself and Atom(name) not in other
        }
        to_decimal = any(atom.fn == "log" for atom in other)
        rewrite = bool(printed) or (is_plain and not all(has_plain))
        results.append(rebuild(value, _changer(printed, to_decimal)) if rewrite else value)
        changed |= rewrite
    return (results[0], results[1]) if changed else None


def _changer(printed: dict[str, Atom], to_decimal: bool) -> Callable[[Atom], Value | None]:
    def change(atom: Atom) -> Value | None:
        if not atom.fn and atom.name in printed:
            return atom_value(printed[atom.name])
        if atom.fn == PLAIN_LOG:
            return function("log" if to_decimal else "ln", rebuild(atom.args[0], change))
        return None

    return change
