"""Convert kinds into each other where they mean the same: units, tuples as columns, named values, times of day."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from search.grading.kinds import (
    DEGREE,
    PERCENT,
    Assignment,
    Choice,
    Collection,
    Expression,
    Kind,
    Matrix,
    Number,
    Quantity,
    Ratio,
    Unit,
    Words,
)
from search.grading.reading.items import product_of_letters
from search.grading.values.forms import PI, atom_value, is_equal, multiply, symbol, text


def of_day(time: Ratio, other: Ratio) -> Sequence[Kind]:
    """Return the parts of a time, its hour counted from midnight if it is said to be am or pm and the other goes beyond 12."""
    hour, beyond = time.parts[0].value, other.parts[0].value
    if (
        not time.half
        or other.half
        or not isinstance(hour, Fraction)
        or not isinstance(beyond, Fraction)
        or 1 <= beyond <= 12
    ):
        return time.parts
    return (Number(hour % 12 + (12 if time.half == "pm" else 0)), *time.parts[1:])


def has_matching(edges: list[list[bool]]) -> bool:
    """Return whether a bipartite graph has a perfect matching (augmenting paths)."""
    owner: dict[int, int] = {}

    def place(row: int, seen: set[int]) -> bool:
        for column, edge in enumerate(edges[row]):
            if edge and column not in seen:
                seen.add(column)
                if column not in owner or place(owner[column], seen):
                    owner[column] = row
                    return True
        return False

    return all(place(row, set()) for row in range(len(edges)))


def conversion(unit: Unit, into: Unit) -> Fraction | None:
    """Return the factor from one unit to another, None if they are not of one kind."""
    if unit.dimension or into.dimension:
        if {unit.words, into.words} == {("lb",), ("gbp",)}:  # a pound is either
            return Fraction(1)
        return unit.factor / into.factor if unit.dimension == into.dimension else None
    left, right = set(unit.words), set(into.words)
    return Fraction(1) if left <= right or right <= left else None


def in_radians(quantity: Quantity) -> Number | Expression | None:
    """Return an angle in radians, None for another quantity."""
    if quantity.unit.dimension == (("rad", 1),):
        return quantity.magnitude
    if quantity.unit.dimension != ((DEGREE, 1),):
        return None
    radians = multiply(multiply(quantity.magnitude.value, Fraction(1, 180)), atom_value(PI))
    return Number(radians) if isinstance(radians, Fraction) else Expression(radians)


def scaled(magnitude: Number | Expression, factor: Fraction) -> Number | Expression:
    if factor == 1:
        return magnitude
    if isinstance(magnitude, Number):
        return Number(magnitude.value * factor, magnitude.digits)
    return Expression(multiply(magnitude.value, factor))


def magnitudes(quantity: Quantity) -> list[Number | Expression]:
    """Return the numbers that a quantity may be written as without its unit: 25 % is 25 or 0.25, 180 degrees are 180 or pi."""
    plain = [quantity.magnitude]
    base = quantity.unit.dimension[0][0] if len(quantity.unit.dimension) == 1 else ""
    if base == PERCENT:
        plain.append(scaled(quantity.magnitude, Fraction(1, 100)))
    elif base == DEGREE and isinstance(quantity.magnitude, Number):
        radians = in_radians(quantity)
        plain += [radians] if radians is not None else []
    return plain


def as_product(quantity: Quantity) -> Number | Expression:
    value = multiply(quantity.magnitude.value, symbol(quantity.unit.words[0]))
    return Number(value) if isinstance(value, Fraction) else Expression(value)


def as_matrix(kind: Kind) -> Matrix | None:
    """Return a matrix, or a tuple read as a column vector; None for another kind."""
    if isinstance(kind, Matrix):
        return kind
    if isinstance(kind, Collection) and kind.bracket in ("()", "[]") and kind.items:
        return Matrix(tuple((item,) for item in kind.items))
    return None


def spread(named: Assignment) -> Collection | None:
    """Return one assignment for each value of a named tuple or list."""
    if not isinstance(named.value, Collection):
        return Collection("", (named,))
    items = named.value.items
    if len(named.names) == len(items) > 1:
        return Collection("", tuple(Assignment((name,), item) for name, item in zip(named.names, items, strict=True)))
    if len(named.names) == 1 and named.value.bracket in ("", "{}"):
        return Collection("", tuple(Assignment(named.names, item) for item in items))
    return None


def is_product_of_letters(gold: Kind, answer: Kind) -> bool:
    """Return whether a short word on one side is the product of letters that the other side is: ``ta`` is ``at``."""
    word, other = (gold, answer) if isinstance(gold, Words) else (answer, gold)
    assert isinstance(word, Words) and isinstance(other, Expression)
    if len(word.text) == 3 and not set(word.text) & set("xz"):
        return False
    product = product_of_letters(word)
    return product is not None and is_equal(product, other.value) is True


def choice_symbol(gold: Kind, answer: Kind) -> bool:
    """Return whether a letter read as a choice on one side is the other side's symbol: E is e, I is i, a is A."""
    choice, other = (gold, answer) if isinstance(gold, Choice) else (answer, gold)
    assert isinstance(choice, Choice) and isinstance(other, Expression)
    shown = text(other.value)
    if shown in ("e", "i"):
        return choice.letter == shown.upper()
    return shown == choice.letter or (choice is gold and shown.upper() == choice.letter)
