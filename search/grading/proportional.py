"""Compare equations and inequalities: equal if one difference is a constant multiple of the other."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from search.grading.kinds import Relation
from search.grading.reading.intervals import approximate
from search.grading.values.forms import UNIT, Form, Polynomial, Value, is_equal, make, multiply, proportion, symbols

if TYPE_CHECKING:
    from search.grading.compare import Algebra


def relations_equal(gold: Relation, answer: Relation, algebra: Algebra) -> bool | None:
    """Return whether two relations describe the same: their variables and operators agree, and their differences up to a factor."""
    a, b = gold.difference, answer.difference
    if gold.operator != answer.operator or symbols(a) != symbols(b):
        return False
    if isinstance(a, Fraction) or isinstance(b, Fraction):
        return a == b
    needs_sign = gold.operator in ("<", "<=")
    if a.den == b.den:
        factor = proportion(a.num, b.num)
        if factor is not None:
            return factor > 0 or not needs_sign
    leads = _leads(a, b)
    if leads is None:
        return None if _has_functions(a) or _has_functions(b) else False
    left, right = multiply(a, leads[1]), multiply(b, leads[0])
    verdict = is_equal(left, right)
    verdict = algebra.equal(left, right) if verdict is None else verdict
    if verdict and needs_sign:
        return (approximate(leads[0]) / approximate(leads[1])).real > 0
    return verdict


def _has_functions(value: Form) -> bool:
    return any(atom.args for poly in (value.num, value.den) for mono in poly for atom, _ in mono)


def _leads(a: Form, b: Form) -> tuple[Value, Value] | None:
    """Return the constant coefficients of one product of symbols in both differences; None if they share none."""
    left, right = _coefficients(a.num), _coefficients(b.num)
    for key in sorted(left.keys() & right.keys(), key=str):
        if key:
            return make(left[key], UNIT), make(right[key], UNIT)
    return None


def _coefficients(poly: Polynomial) -> dict[tuple[tuple[str, Fraction], ...], Polynomial]:
    """Group a polynomial by its products of symbols; the values are the constant coefficients."""
    groups: dict[tuple[tuple[str, Fraction], ...], Polynomial] = {}
    for mono, coefficient in poly.items():
        variable = tuple((atom.name, exponent) for atom, exponent in mono if not atom.fn or atom.args)
        constant = tuple(pair for pair in mono if pair[0].fn and not pair[0].args)
        groups.setdefault(variable, {})[constant] = coefficient
    return groups
