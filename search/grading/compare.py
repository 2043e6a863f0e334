"""Compare two kinds: exactly, or with None where only algebra can decide.

The first argument is the reference: its brackets say whether order matters. A unit on one side only is dropped, and so is
a name that only one side gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Protocol

from search.grading.conversions import (
    as_matrix,
    as_product,
    choice_symbol,
    conversion,
    has_matching,
    in_radians,
    is_product_of_letters,
    magnitudes,
    of_day,
    scaled,
    spread,
)
from search.grading.decimals import LEAST_DIGITS, numbers_equal
from search.grading.kinds import (
    Assignment,
    Boolean,
    Choice,
    Collection,
    Expression,
    Infinity,
    Kind,
    Matrix,
    Number,
    Piece,
    Quantity,
    Ratio,
    RealSet,
    Relation,
    Sides,
    Text,
    Words,
)
from search.grading.proportional import relations_equal
from search.grading.reading.relations import as_equation, as_interval
from search.grading.spellings import same_spelling
from search.grading.values.forms import Value, is_constant, is_equal, multiply

Verdict = bool | None
MAX_ITEMS = 64  # items of a collection that are matched without regard to order


class Algebra(Protocol):
    """Decides about values that exact arithmetic leaves open. None: undecided."""

    def equal(self, a: Value, b: Value) -> Verdict: ...

    def rounds_to(self, exact: Value, decimal: Fraction, digits: int) -> Verdict: ...


class ExactAlgebra:
    """Decides nothing that normal forms do not."""

    def equal(self, a: Value, b: Value) -> Verdict:
        return None

    def rounds_to(self, exact: Value, decimal: Fraction, digits: int) -> Verdict:
        return None


EXACT = ExactAlgebra()


def compare(gold: Kind, answer: Kind, algebra: Algebra = EXACT) -> Verdict:
    """Return whether an answer means what the reference means; None if ``algebra`` leaves it undecided."""
    return _Comparison(algebra).same(gold, answer)


def every(verdicts: Sequence[Verdict]) -> Verdict:
    """Return False if one verdict is False, else None if one is None, else True."""
    return False if False in verdicts else None if None in verdicts else True


def either(*deciders: Callable[[], Verdict]) -> Verdict:
    """Return True if one verdict is True, else None if one is None, else False."""
    undecided = False
    for decide in deciders:
        verdict = decide()
        if verdict:
            return True
        undecided |= verdict is None
    return None if undecided else False


class _Comparison:
    def __init__(self, algebra: Algebra) -> None:
        self.algebra = algebra

    def same(self, gold: Kind, answer: Kind) -> Verdict:
        if isinstance(gold, (Number, Expression)) and isinstance(answer, (Number, Expression)):
            return self.values(gold, answer)
        if isinstance(gold, Assignment) or isinstance(answer, Assignment):
            return self.assignments(gold, answer)
        if isinstance(gold, Quantity) or isinstance(answer, Quantity):
            return self.quantities(gold, answer)
        if isinstance(gold, RealSet) or isinstance(answer, RealSet):
            return self.real_sets(gold, answer)
        if isinstance(gold, Matrix) or isinstance(answer, Matrix):
            return self.matrices(gold, answer)
        if isinstance(gold, Collection) or isinstance(answer, Collection):
            return self.collections(gold, answer)
        return self.others(gold, answer)

    def others(self, gold: Kind, answer: Kind) -> Verdict:
        match gold, answer:
            case Choice(), Choice():
                same = gold.letter == answer.letter
                return same or ((gold.explicit or answer.explicit) and gold.letter.upper() == answer.letter.upper())
            case (Words(), Expression()) | (Expression(), Words()):
                return is_product_of_letters(gold, answer)
            case (Choice(), Expression()) | (Expression(), Choice()):
                return choice_symbol(gold, answer)
            case Relation(), Relation():
                return relations_equal(gold, answer, self.algebra)
            case Sides(), Sides():
                return gold.operator == answer.operator and every(
                    [self.same(gold.left, answer.left), self.same(gold.right, answer.right)]
                )
            case Ratio(), Ratio():
                return self.ratios(gold, answer)
            case (Ratio(), Number()) | (Number(), Ratio()):
                return self.ratio_and_number(gold, answer)
            case Infinity(), Infinity():
                return gold.sign == answer.sign
            case Boolean(), Boolean():
                return gold.value == answer.value
            case ((Words() | Text()), (Words() | Text())):
                return gold.text == answer.text
        return False

    def values(self, gold: Number | Expression, answer: Number | Expression) -> Verdict:
        if isinstance(gold, Number) and isinstance(answer, Number):
            return numbers_equal(gold, answer)
        verdict = is_equal(gold.value, answer.value)
        if verdict:
            return True
        for exact, decimal in ((gold, answer), (answer, gold)):
            if isinstance(decimal, Number) and (decimal.digits or 0) >= LEAST_DIGITS and is_constant(exact.value):
                return self.algebra.rounds_to(exact.value, decimal.value, decimal.digits or 0)
        if verdict is None:
            verdict = self.algebra.equal(gold.value, answer.value)
        if verdict is False:
            respelled = same_spelling(gold.value, answer.value)
            if respelled is not None:
                return either(lambda: is_equal(*respelled), lambda: self.algebra.equal(*respelled))
        return verdict

    def assignments(self, gold: Kind, answer: Kind) -> Verdict:
        if isinstance(gold, Assignment) and isinstance(answer, Assignment) and gold.names == answer.names:
            return self.same(gold.value, answer.value)
        left, right = as_equation(gold), as_equation(answer)
        if left is not None and right is not None:
            return relations_equal(left, right, self.algebra)
        if isinstance(gold, Assignment) and isinstance(answer, Assignment):
            if len(gold.names) == len(answer.names) == 1 and (" " in gold.names[0] or " " in answer.names[0]):
                return self.same(gold.value, answer.value)
            return False
        named, other = (gold, answer) if isinstance(gold, Assignment) else (answer, gold)
        assert isinstance(named, Assignment)
        if isinstance(other, Relation):
            return False
        if isinstance(other, Collection) and other.items and all(isinstance(i, Assignment) for i in other.items):
            each = spread(named)
            return False if each is None else self.collections(*((each, other) if named is gold else (other, each)))
        return self.same(named.value, answer) if named is gold else self.same(gold, named.value)

    def quantities(self, gold: Kind, answer: Kind) -> Verdict:
        if isinstance(gold, Quantity) and isinstance(answer, Quantity):
            factor = conversion(answer.unit, gold.unit)
            if factor is None:
                left, right = in_radians(gold), in_radians(answer)
                return self.values(left, right) if left is not None and right is not None else False
            return self.values(gold.magnitude, scaled(answer.magnitude, factor))
        quantity, other = (gold, answer) if isinstance(gold, Quantity) else (answer, gold)
        assert isinstance(quantity, Quantity)
        if isinstance(other, Collection) and len(other.items) == 1 and other.bracket:
            return self.same(gold, other.items[0]) if quantity is gold else self.same(other.items[0], answer)
        if not isinstance(other, (Number, Expression)):
            return False
        if quantity.loose and quantity is answer:
            return self.values(as_product(quantity), other)
        return either(*(lambda m=m: self.values(m, other) for m in magnitudes(quantity)))  # type: ignore[misc]

    def real_sets(self, gold: Kind, answer: Kind) -> Verdict:
        left, right = as_interval(gold), as_interval(answer)
        if left is None or right is None or len(left.pieces) != len(right.pieces):
            return False
        if left.variable and right.variable and left.variable != right.variable:
            return False
        return every([self.pieces(a, b) for a, b in zip(left.pieces, right.pieces, strict=True)])

    def pieces(self, gold: Piece, answer: Piece) -> Verdict:
        if (gold.low_closed, gold.high_closed) != (answer.low_closed, answer.high_closed):
            return False
        return every([self.ends(gold.low, answer.low), self.ends(gold.high, answer.high)])

    def ends(self, gold: Number | Expression | None, answer: Number | Expression | None) -> Verdict:
        if gold is None or answer is None:
            return gold is answer
        return self.values(gold, answer)

    def matrices(self, gold: Kind, answer: Kind) -> Verdict:
        left, right = as_matrix(gold), as_matrix(answer)
        if left is None or right is None or left.fence != right.fence or len(left.rows) != len(right.rows):
            return False
        if len(left.rows[0]) != len(right.rows[0]):
            return False
        pairs = [pair for a, b in zip(left.rows, right.rows, strict=True) for pair in zip(a, b, strict=True)]
        return every([self.same(a, b) for a, b in pairs])

    def collections(self, gold: Kind, answer: Kind) -> Verdict:
        if not isinstance(gold, Collection) or not isinstance(answer, Collection):
            return self.single(gold, answer)
        brackets = gold.bracket + answer.bracket
        if "{}" in (gold.bracket, answer.bracket) and ("()" in brackets or gold.bracket == "[]"):
            return False
        if brackets in ("()[]", "[]()") and as_interval(gold) is not None:
            return False
        assigned = self.assigned(gold, answer)
        if assigned is not None:
            return assigned
        if gold.bracket in ("()", "[]"):
            return self.in_order(gold.items, answer.items)
        if len(gold.items) == len(answer.items) and every(
            [self.same(a, b) for a, b in zip(gold.items, answer.items, strict=True)]
        ):
            return True
        if gold.bracket == "{}" or answer.bracket == "{}":
            return self.as_sets(gold.items, answer.items)
        return self.matching(gold.items, answer.items)

    def assigned(self, gold: Collection, answer: Collection) -> Verdict:
        """Compare values named one by one with a tuple: ``x=2, y=3`` with ``(2, 3)``; None for other collections."""
        for named, other in ((gold, answer), (answer, gold)):
            names = [item.names[0] for item in named.items if isinstance(item, Assignment) and len(item.names) == 1]
            is_plain = not any(isinstance(item, Assignment) for item in other.items)
            if len(names) == len(named.items) and len(set(names)) == len(names) > 1 and is_plain:
                if names != sorted(names) or other.bracket == "{}":
                    return False
                return self.in_order(gold.items, answer.items)
        return None

    def single(self, gold: Kind, answer: Kind) -> Verdict:
        """Compare a collection with something that is none: equal to its only item."""
        if isinstance(gold, Collection):
            if gold.mixed is not None:
                return self.same(gold.mixed, answer)
            return len(gold.items) == 1 and bool(gold.bracket) and self.same(gold.items[0], answer)
        assert isinstance(answer, Collection)
        if answer.mixed is not None:
            return self.same(gold, answer.mixed)
        return len(answer.items) == 1 and bool(answer.bracket) and self.same(gold, answer.items[0])

    def in_order(self, gold: Sequence[Kind], answer: Sequence[Kind]) -> Verdict:
        if len(gold) != len(answer):
            return False
        verdicts: list[Verdict] = []
        for a, b in zip(gold, answer, strict=True):
            verdicts.append(self.same(a, b))
            if verdicts[-1] is False:
                return False
        return every(verdicts)

    def as_sets(self, gold: Sequence[Kind], answer: Sequence[Kind]) -> Verdict:
        return self.matching(self.distinct(gold), self.distinct(answer))

    def distinct(self, items: Sequence[Kind]) -> list[Kind]:
        kept: list[Kind] = []
        for item in items[:MAX_ITEMS]:
            if not any(self.same(other, item) for other in kept):
                kept.append(item)
        return [*kept, *items[MAX_ITEMS:]]

    def matching(self, gold: Sequence[Kind], answer: Sequence[Kind]) -> Verdict:
        """Return whether items can be paired one to one, whatever their order."""
        if len(gold) != len(answer) or len(gold) > MAX_ITEMS:
            return False
        table = [[self.same(a, b) for b in answer] for a in gold]
        if has_matching([[verdict is True for verdict in row] for row in table]):
            return True
        return None if has_matching([[verdict is not False for verdict in row] for row in table]) else False

    def ratios(self, gold: Ratio, answer: Ratio) -> Verdict:
        if len(gold.parts) != len(answer.parts) or (gold.half and answer.half and gold.half != answer.half):
            return False
        if gold.is_time and answer.is_time:
            return self.in_order(of_day(gold, answer), of_day(answer, gold))
        if gold.half or answer.half:
            return False
        first, second = gold.parts[0].value, answer.parts[0].value
        pairs = zip(gold.parts[1:], answer.parts[1:], strict=True)
        return every([self.products(a.value, second, b.value, first) for a, b in pairs])

    def products(self, a: Value, b: Value, c: Value, d: Value) -> Verdict:
        left, right = multiply(a, b), multiply(c, d)
        verdict = is_equal(left, right)
        return self.algebra.equal(left, right) if verdict is None else verdict

    def ratio_and_number(self, gold: Kind, answer: Kind) -> Verdict:
        ratio, number = (gold, answer) if isinstance(gold, Ratio) else (answer, gold)
        assert isinstance(ratio, Ratio) and isinstance(number, Number)
        if len(ratio.parts) != 2 or ratio.is_time:
            return False
        return self.products(ratio.parts[0].value, Fraction(1), number.value, ratio.parts[1].value)
