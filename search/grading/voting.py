"""Give equal answers one key for votes, without a reference: an equivalence relation by construction."""

from __future__ import annotations

from fractions import Fraction

from search.grading.kinds import (
    DEGREE,
    PERCENT,
    Assignment,
    Collection,
    Expression,
    Kind,
    Matrix,
    Number,
    Quantity,
    RealSet,
    Relation,
    describe,
)
from search.grading.reading.reader import FAILURES, MAX_LENGTH, plain_text, read
from search.grading.reading.relations import as_equation
from search.grading.reading.units import MONEY
from search.grading.values.forms import Form, leading, multiply, scaled, symbols, text
from search.grading.values.powers import content_of

DROPPED = MONEY | {PERCENT, DEGREE}  # units that are written or left out at will


def canonical(answer: str) -> str:
    """Return the key of an answer: an exact fraction for a number, the normal form of everything else.

    ``0.5``, ``1/2`` and ``$0.50`` give ``1/2``. A per cent sign, a currency and words for what is counted are left out:
    ``25%`` gives ``25``. Units that convert give the value in base units: ``60 min`` and ``1 h`` give ``3600 s``. The
    order of a list without brackets and of a set does not matter. Equations are equal up to a factor.
    """
    answer = answer[:MAX_LENGTH]
    try:
        return _key(read(answer))
    except FAILURES:
        return plain_text(answer)


def _key(kind: Kind) -> str:
    match kind:
        case Quantity():
            return _quantity_key(kind)
        case Assignment():
            equation = as_equation(kind)
            if equation is not None and isinstance(kind.value, Expression) and symbols(kind.value.value):
                return _relation_key(equation)
            return _key(kind.value)
        case Relation():
            return _relation_key(kind)
        case RealSet():
            return describe(RealSet(kind.pieces))
        case Collection():
            return _collection_key(kind)
        case Matrix():
            return kind.fence + "[" + ",".join("[" + ",".join(map(_key, row)) + "]" for row in kind.rows) + "]"
    return describe(kind)


def _collection_key(kind: Collection) -> str:
    if kind.bracket in ("()", "[]"):
        return kind.bracket[0] + ",".join(map(_key, kind.items)) + kind.bracket[1]
    named = {item.names: item for item in kind.items if isinstance(item, Assignment)}
    if len(named) == len(kind.items) > 1:  # x=2, y=3 is the point (2, 3)
        return "(" + ",".join(_key(named[names]) for names in sorted(named)) + ")"
    keys = sorted(map(_key, kind.items))
    return "{" + ",".join(dict.fromkeys(keys) if kind.bracket else keys) + "}"


def _relation_key(relation: Relation) -> str:
    """Return an equation with whole coefficients without a common factor, the first one positive; of inequalities any sign."""
    difference = relation.difference
    if isinstance(difference, Form):
        factor = 1 / content_of(difference.num)
        if relation.operator in ("=", "!=") and difference.num[leading(difference.num)] < 0:
            factor = -factor
        difference = Form(scaled(difference.num, factor), difference.den)
    elif difference:
        difference = Fraction(1)
    return f"{text(difference)}{relation.operator}0"


def _quantity_key(quantity: Quantity) -> str:
    magnitude: Number | Expression = quantity.magnitude
    dimension = quantity.unit.dimension
    if not dimension or (len(dimension) == 1 and dimension[0][0] in DROPPED):
        return describe(magnitude)
    base = " ".join(name if exponent == 1 else f"{name}^{exponent}" for name, exponent in dimension)
    return f"{text(multiply(magnitude.value, quantity.unit.factor))} {base}"
