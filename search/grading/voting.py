"""Give equal answers one key for votes, without a reference: an equivalence relation by construction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import lru_cache
from itertools import combinations

from search.grading.algebra import pool
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
from search.grading.values.forms import Form, Value, is_decidable, is_equal, leading, multiply, scaled, symbols, text
from search.grading.values.powers import content_of

MAX_COMPARISONS = 20  # by algebra, in one vote
CACHED = 1 << 14

SameValue = Callable[[str, str], bool]

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


def merged_keys(answers: Iterable[str | None], same_value: SameValue | None = None) -> dict[str, str]:
    """Return the key of each answer of one vote, one key for groups that algebra finds equal in value.

    ``ln 2 + ln 3`` and ``ln 6`` share a key here, while ``canonical`` gives two. Only groups of expressions whose normal
    forms do not decide are compared, the largest first, at most MAX_COMPARISONS pairs. A merged group is compared by its
    first member only and never split, so the result is an equivalence; it does not depend on the order of the answers.
    ``same_value`` compares two answers, by default in a child process: milliseconds a pair, so not for the inside of a
    search. Raises GraderUnavailable.
    """
    same_value = same_value or _same_value
    voters = [answer for answer in answers if answer is not None]
    keys = {answer: canonical(answer) for answer in voters}
    votes = Counter(keys[answer] for answer in voters)
    written = {keys[answer]: answer for answer in sorted(keys, reverse=True)}  # of equal answers the first in order
    values = {key: value for key in votes if (value := value_of(written[key])) is not None}
    undecided = {key for key, value in values.items() if not is_decidable(value)}
    ranked = sorted(values, key=lambda key: (-votes[key], key)) if undecided else []
    merged: dict[str, str] = {}
    compared = 0
    for first, second in combinations(ranked, 2):
        if compared == MAX_COMPARISONS:
            break
        if first in merged or second in merged or not {first, second} & undecided:
            continue
        if is_equal(values[first], values[second]) is None:
            compared += 1
            if same_value(*sorted((written[first], written[second]))):
                merged[second] = first
    return {answer: merged.get(key, key) for answer, key in keys.items()}


def value_of(answer: str) -> Value | None:
    """Return the value of a number, an expression, ``name = constant`` or an amount of what ``canonical`` leaves out."""
    try:
        kind = read(answer[:MAX_LENGTH])
    except FAILURES:
        return None
    if isinstance(kind, Assignment) and isinstance(kind.value, (Number, Expression)) and not symbols(kind.value.value):
        kind = kind.value
    if isinstance(kind, Quantity) and _quantity_key(kind) == describe(kind.magnitude):
        kind = kind.magnitude
    return kind.value if isinstance(kind, (Number, Expression)) else None


@lru_cache(maxsize=CACHED)
def _same_value(first: str, second: str) -> bool:
    return pool.pool().same_value(first, second)
