"""Read equations, inequalities, memberships and other relations, and sets of reals that inequalities in one symbol describe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise

from search.grading.kinds import (
    Assignment,
    Collection,
    Expression,
    Infinity,
    Kind,
    Matrix,
    Number,
    Piece,
    RealSet,
    Relation,
    Sides,
    Text,
    Words,
)
from search.grading.reading.intervals import NoOrder, approximate, complement, intersection, union
from search.grading.reading.literals import Unreadable
from search.grading.reading.names import name_of_symbol, read_names
from search.grading.reading.tokens import SIGN, Token, change_of_depth, written
from search.grading.values.forms import (
    UNIT,
    Atom,
    Form,
    Polynomial,
    Value,
    divide,
    is_constant,
    is_equal,
    make,
    multiply,
    negate,
    subtract,
    symbol,
    symbols,
)

Reader = Callable[[Sequence[Token]], Kind]
ORDERS = {"<": "<", ">": "<", "≤": "<=", "≥": "<="}
OTHERS = "≡⊂⊆→⇒←⇔↔↦∥⊥∼∉∧∨≅"
OPERATORS = frozenset("=<>≤≥≠≈∈" + OTHERS)


def read_relation(tokens: Sequence[Token], read: Reader) -> Kind | None:
    """Return the relation that tokens write; None if there is no operator outside brackets."""
    parts, operators = _split_relation(tokens)
    if not operators:
        return None
    if "≈" in operators:
        exact = parts[: operators.index("≈") + 1] if not read_names(parts[0]) or len(parts) > 2 else parts
        signs = ["="] * (len(exact) - 1)
        return _equation(exact, read) if signs else read(exact[0])
    if all(operator == "=" for operator in operators):
        return _equation(parts, read)
    if operators == ["∈"]:
        return _membership(parts[0], read(parts[1]))
    if all(operator in ORDERS for operator in operators):
        return _inequalities(parts, operators, read)
    if operators == ["≠"]:
        return _unequal(read(parts[0]), read(parts[1]))
    if len(operators) == 1:
        return Sides(operators[0], _side(parts[0], read), _side(parts[1], read))
    raise Unreadable("a chain of different relations")


def _split_relation(tokens: Sequence[Token]) -> tuple[list[list[Token]], list[str]]:
    parts: list[list[Token]] = [[]]
    operators: list[str] = []
    depth = 0
    for token in tokens:
        depth += change_of_depth(token)
        if depth <= 0 and token.kind == SIGN and token.text in OPERATORS:
            parts.append([])
            operators.append(token.text)
        else:
            parts[-1].append(token)
    if operators and not all(parts):
        raise Unreadable("a relation without a side")
    return parts, operators


def _side(tokens: Sequence[Token], read: Reader) -> Kind:
    try:
        return read(tokens)
    except (Unreadable, ArithmeticError, ValueError):
        return Text(written(tokens))


def _equation(parts: list[list[Token]], read: Reader) -> Kind:
    """Return an assignment if one side is a name, the last side of a chain of constants, else an equation."""
    names = read_names(parts[0])
    if len(parts) > 2:
        all_names = [read_names(part) for part in parts[:-1]]
        last = read(parts[-1])
        values = [read(part) for part, each in zip(parts, all_names, strict=False) if not each]
        _check_chain([*values, last], names)
        if all(len(each) == 1 for each in all_names):
            return Collection("", tuple(Assignment(each, last) for each in all_names))
        return Assignment(names, last) if names else last
    left, right = parts
    if not names and read_names(right):
        names, left, right = read_names(right), right, left
    value = read(right)
    if names:
        if isinstance(value, Expression) and names[0] in symbols(value.value) and len(names) == 1:
            return equation(subtract(symbol(names[0]), value.value))
        return Assignment(names, value)
    return _two_sides(read(left), value)


def _check_chain(values: Sequence[Kind], names: tuple[str, ...]) -> None:
    """Raise Unreadable if a chain of equal values is false: two exact constants differ, or one contains the chain's name."""
    exact = [
        value
        for value in values
        if isinstance(value, Expression) or (isinstance(value, Number) and value.digits is None)
    ]
    for value in exact:
        if set(names) & symbols(value.value):
            raise Unreadable("a chain that contains its name")
    constants = [value for value in exact if is_constant(value.value)]
    if any(is_equal(a.value, b.value) is False for a, b in pairwise(constants)):
        raise Unreadable("a chain of different values")


def _two_sides(left: Kind, right: Kind) -> Kind:
    if isinstance(left, (Number, Expression)) and isinstance(right, (Number, Expression)):
        if is_constant(left.value) and is_constant(right.value):
            _check_chain([left, right], ())
            return right
        return equation(subtract(left.value, right.value))
    if not isinstance(left, (Expression, Words, Text, Assignment, Relation)) and not isinstance(right, (Text, Words)):
        return right if isinstance(left, type(right)) and not isinstance(left, Matrix) else Sides("=", left, right)
    return Sides("=", left, right)


def equation(difference: Value) -> Relation:
    """Return the equation ``difference = 0``, without denominators and negative powers of symbols."""
    if not isinstance(difference, Form):
        return Relation("=", difference)
    lowest: dict[Atom, Fraction] = {}
    for mono in difference.num:
        for atom, exponent in mono:
            if not atom.fn and exponent < lowest.get(atom, Fraction(0)):
                lowest[atom] = exponent
    factor: Polynomial = {
        tuple(sorted(((a, -e) for a, e in lowest.items()), key=lambda pair: pair[0].name)): Fraction(1)
    }
    return Relation("=", multiply(make(difference.num, UNIT), make(factor, UNIT)))


def as_equation(kind: Kind) -> Relation | None:
    """Return an assignment of a value to one name as an equation, an equation as it is, None for another kind."""
    if isinstance(kind, Relation) and kind.operator == "=":
        return kind
    if isinstance(kind, Assignment) and len(kind.names) == 1 and isinstance(kind.value, (Number, Expression)):
        return equation(subtract(symbol(kind.names[0]), kind.value.value))
    return None


def all_reals(variable: str = "") -> RealSet:
    return RealSet((Piece(None, None),), variable)


def _membership(left: Sequence[Token], right: Kind) -> Kind:
    names = read_names(left)
    if not names:
        raise Unreadable("a membership without a name")
    interval = as_interval(right)
    if interval is not None and len(names) == 1:
        return RealSet(interval.pieces, names[0])
    return Assignment(names, right)


def as_interval(kind: Kind) -> RealSet | None:
    """Return a set of reals, or a pair in brackets read as an interval; None for another kind."""
    if isinstance(kind, RealSet):
        return kind
    if isinstance(kind, Collection) and kind.bracket in ("()", "[]") and len(kind.items) == 2:
        return interval(kind.items[0], kind.items[1], kind.bracket[0] == "[", kind.bracket[1] == "]")
    return None


def interval(low: Kind, high: Kind, low_closed: bool, high_closed: bool) -> RealSet | None:
    """Return the interval between two ends, None if they are no reals in ascending order."""
    ends: list[Number | Expression | None] = []
    for end, sign in ((low, -1), (high, 1)):
        if isinstance(end, Infinity) and end.sign == sign:
            ends.append(None)
        elif isinstance(end, (Number, Expression)):
            ends.append(end)
        else:
            return None
    first, last = ends
    try:
        if first is not None and last is not None and intersection_is_empty(first, last):
            return None
    except NoOrder:
        pass
    return RealSet((Piece(first, last, low_closed and first is not None, high_closed and last is not None),))


def intersection_is_empty(low: Number | Expression, high: Number | Expression) -> bool:
    from search.grading.reading.intervals import compare_ends

    return compare_ends(low, high) > 0


def _inequalities(parts: list[list[Token]], operators: list[str], read: Reader) -> Kind:
    sides = [read(part) for part in parts]
    relations = [_order(a, sign, b) for (a, b), sign in zip(pairwise(sides), operators, strict=True)]
    return relations[0] if len(relations) == 1 else _intersected(relations) or Collection("{}", tuple(relations))


def _order(left: Kind, sign: str, right: Kind) -> Kind:
    """Return the set of reals that an inequality describes, or the inequality if it is not linear in one symbol."""
    if isinstance(left, Infinity) or isinstance(right, Infinity):
        finite = right if isinstance(left, Infinity) else left
        name = name_of_symbol(finite.value) if isinstance(finite, Expression) else ""
        if not name:
            raise Unreadable("an infinite bound of no symbol")
        return all_reals(name)
    if not isinstance(left, (Number, Expression)) or not isinstance(right, (Number, Expression)):
        return Sides(sign, left, right)
    difference = subtract(left.value, right.value)
    if sign in (">", "≥"):
        difference = negate(difference)
    solved = _linear_root(difference)
    if solved is None:
        return Relation(ORDERS[sign], difference)
    name, root, rising = solved
    closed = sign in ("≤", "≥")
    piece = Piece(None, root, False, closed) if rising else Piece(root, None, closed, False)
    return RealSet((piece,), name)


def _linear_root(difference: Value) -> tuple[str, Number | Expression, bool] | None:
    """Return symbol, root and whether it rises, of a linear function of one symbol with constant coefficients."""
    names = symbols(difference)
    if (
        len(names) != 1
        or isinstance(difference, (int, float))
        or not isinstance(difference, Form)
        or difference.den != UNIT
    ):
        return None
    (name,) = names
    slope: Polynomial = {}
    rest: Polynomial = {}
    for mono, coefficient in difference.num.items():
        itself = [exponent for atom, exponent in mono if atom.name == name and not atom.fn]
        others = tuple(pair for pair in mono if not (pair[0].name == name and not pair[0].fn))
        if any(name in symbols(arg) for atom, _ in others for arg in atom.args) or (itself and itself != [1]):
            return None
        (slope if itself else rest)[others] = coefficient
    factor, constant = make(slope, UNIT), make(rest, UNIT)
    root = negate(divide(constant, factor))
    rise = approximate(factor)
    if isinstance(rise, complex) and abs(rise.imag) > 0:
        return None
    return name, Number(root) if not isinstance(root, Form) else Expression(root), rise.real > 0


def _unequal(left: Kind, right: Kind) -> Kind:
    if not isinstance(left, (Number, Expression)):
        return Sides("≠", left, right)
    name = name_of_symbol(left.value)
    values = right.items if isinstance(right, Collection) and right.bracket in ("", "{}") else (right,)
    points = [value for value in values if isinstance(value, (Number, Expression)) and is_constant(value.value)]
    if name and len(points) == len(values):
        return RealSet(complement(points).pieces, name)
    if isinstance(right, (Number, Expression)):
        return Relation("!=", subtract(left.value, right.value))
    return Sides("≠", left, right)


def combine(items: Sequence[Kind], joint: str) -> Kind | None:
    """Return conditions on one symbol as one set of reals: united by "or", intersected by "and" or a comma; else None."""
    sets = [item for item in items if isinstance(item, RealSet)]
    if sets and joint == "or":  # x = 1 or x > 2
        sets = [point for item in items if (point := _point(item)) is not None]
    if len(sets) < len(items) or len({each.variable for each in sets}) != 1:
        return None
    if joint == "or" or not sets[0].variable:
        return union(sets) if joint == "or" else None
    common = _intersected(sets)
    return common if common is not None and (common.pieces or joint == "and") else union(sets)


def _point(condition: Kind) -> RealSet | None:
    """Return a set of reals as it is, ``x = 3`` as the set of one point; None for another kind."""
    if isinstance(condition, Assignment) and len(condition.names) == 1:
        value = condition.value
        if isinstance(value, (Number, Expression)) and is_constant(value.value):
            return RealSet((Piece(value, value, True, True),), condition.names[0])
    return condition if isinstance(condition, RealSet) else None


def _intersected(relations: Sequence[Kind]) -> RealSet | None:
    result: RealSet | None = None
    for each in relations:
        if not isinstance(each, RealSet) or (result is not None and each.variable != result.variable):
            return None
        result = each if result is None else intersection(result, each)
    return result
