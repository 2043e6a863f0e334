"""Give equal answers one key for votes, without a reference: an equivalence relation by construction."""

from __future__ import annotations

from search.grading.forms import multiply, text
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
    Words,
    describe,
)
from search.grading.reading import MAX_LENGTH, read
from search.grading.units import TABLE

MONEY = frozenset(base for base, (kind, _) in TABLE.items() if kind == "money")
DROPPED = MONEY | {PERCENT, DEGREE}  # units that are written or left out at will


def canonical(answer: str) -> str:
    """Return the key of an answer: an exact fraction for a number, the normal form of everything else.

    ``0.5``, ``1/2`` and ``$0.50`` give ``1/2``. A per cent sign, a currency and words for what is counted are left out:
    ``25%`` gives ``25``. Units that convert give the value in base units: ``60 min`` and ``1 h`` give ``3600 s``. The
    order of a list without brackets and of a set does not matter.
    """
    return _key(read(answer[:MAX_LENGTH]))


def _key(kind: Kind) -> str:
    match kind:
        case Quantity():
            return _quantity_key(kind)
        case Assignment(names=(_,)):
            return _key(kind.value)
        case Collection(bracket="" | "{}"):
            keys = sorted(map(_key, kind.items))
            return ",".join(keys) if len(keys) == 1 or not kind.bracket else "{" + ",".join(dict.fromkeys(keys)) + "}"
        case Collection():
            return kind.bracket[0] + ",".join(map(_key, kind.items)) + kind.bracket[1]
        case Matrix():
            return kind.fence + "[" + ",".join("[" + ",".join(map(_key, row)) + "]" for row in kind.rows) + "]"
        case Words():
            return kind.text
    return describe(kind)


def _quantity_key(quantity: Quantity) -> str:
    magnitude: Number | Expression = quantity.magnitude
    dimension = quantity.unit.dimension
    if not dimension or (len(dimension) == 1 and dimension[0][0] in DROPPED):
        return describe(magnitude)
    base = " ".join(name if exponent == 1 else f"{name}^{exponent}" for name, exponent in dimension)
    return f"{text(multiply(magnitude.value, quantity.unit.factor))} {base}"
