"""Define the kinds of answer that are compared, as frozen records.

Elements of collections, matrices and relations are kinds themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from search.grading.values.forms import Value, text

PERCENT = "%"
DEGREE = "deg"


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """A rational number. ``digits``: its significant digits if it was written as a decimal, else None."""

    value: Fraction
    digits: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A value that is no rational number: a constant such as pi/2, or a term with symbols.

    ``monomial`` is the number before the letters of ``5m``, which may be a product or a quantity.
    """

    value: Value


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """A unit of measurement.

    ``dimension`` names base units with exponents, empty for words that name no convertible unit; ``factor`` converts into
    base units. ``words`` are the words as written, in singular.
    """

    words: tuple[str, ...]
    dimension: tuple[tuple[str, int], ...] = ()
    factor: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """A magnitude with a unit. ``loose``: the unit may be a variable (``5m``), so it is dropped for no number."""

    magnitude: Number | Expression
    unit: Unit
    loose: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """``difference operator 0`` with an operator of ``= < <= !=``, or a relation of another kind between two sides."""

    operator: str
    difference: Value


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """A relation that is compared side by side: ``x -> y``."""

    operator: str
    left: Kind
    right: Kind


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """A value with the name it was given: ``x = 3``, ``f(x) = 2x``, ``(x, y) = (1, 2)``."""

    names: tuple[str, ...]
    value: Kind


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """An interval of reals. An end of None is infinite."""

    low: Number | Expression | None
    high: Number | Expression | None
    low_closed: bool = False
    high_closed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RealSet:
    """A union of intervals in ascending order. ``variable``: the symbol it was said of, "" for none."""

    pieces: tuple[Piece, ...]
    variable: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """Several values. ``bracket``: "()" or "[]" for ordered ones, "{}" for a set, "" for a list without brackets.

    ``mixed``: the mixed number that ``2 and 1/2`` may be, None for other lists.
    """

    bracket: str
    items: tuple[Kind, ...]
    mixed: Number | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Rows of equal length. ``fence``: "" for brackets, "|" for a determinant."""

    rows: tuple[tuple[Kind, ...], ...]
    fence: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Infinity:
    """Infinity. ``sign``: 1 or -1."""

    sign: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The letter of a multiple-choice option. ``explicit``: it stands in brackets or is called an option."""

    letter: str
    explicit: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Ratio:
    """Numbers separated by colons. ``half``: "am" or "pm" of a time of day, else ""."""

    parts: tuple[Number | Expression, ...]
    is_time: bool = False
    half: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Boolean:
    value: bool


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A word or a phrase in lower case."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """What cannot be read as any other kind."""

    text: str


Kind: TypeAlias = (
    Number | Expression | Quantity | Relation | Sides | Assignment | RealSet | Collection | Matrix | Infinity
    | Choice | Ratio | Boolean | Words | Text
)  # fmt: skip


def name_of(kind: Kind) -> str:
    """Return the name of a kind for messages: ``number``, ``real set``."""
    names = {"RealSet": "real set", "Sides": "relation", "Collection": "list"}
    name = type(kind).__name__
    if isinstance(kind, Collection):
        return {"()": "tuple", "[]": "bracketed list", "{}": "set", "": "list"}[kind.bracket]
    return names.get(name, name.lower())


def describe(kind: Kind) -> str:
    """Return a kind as text that is equal for equal readings. Units of counted things are left out: see ``canonical``."""
    match kind:
        case Number() | Expression():
            return text(kind.value)
        case Quantity():
            return f"{describe(kind.magnitude)} {' '.join(kind.unit.words)}"
        case Relation():
            return f"{text(kind.difference)}{kind.operator}0"
        case Sides():
            return f"{describe(kind.left)}{kind.operator}{describe(kind.right)}"
        case Assignment():
            return f"{','.join(kind.names)}={describe(kind.value)}"
        case RealSet():
            pieces = "U".join(map(_piece, kind.pieces))
            return f"{kind.variable} in {pieces}" if kind.variable else pieces
        case Collection():
            return kind.bracket[:1] + ",".join(map(describe, kind.items)) + kind.bracket[1:]
        case Matrix():
            return kind.fence + "[" + ",".join("[" + ",".join(map(describe, row)) + "]" for row in kind.rows) + "]"
        case Infinity():
            return "infinity" if kind.sign > 0 else "-infinity"
        case Choice():
            return kind.letter
        case Ratio():
            return ":".join(map(describe, kind.parts)) + kind.half
        case Boolean():
            return str(kind.value).lower()
        case Words() | Text():
            return kind.text


def _piece(piece: Piece) -> str:
    low = "-infinity" if piece.low is None else describe(piece.low)
    high = "infinity" if piece.high is None else describe(piece.high)
    return f"{'[' if piece.low_closed else '('}{low},{high}{']' if piece.high_closed else ')'}"
