"""Read Python's printed containers and numbers: ``FiniteSet(1, 2)``, ``Interval.open(0, 1)``, ``array([1, 2])``."""

from __future__ import annotations

from collections.abc import Sequence

from search.grading.kinds import Boolean, Collection, Kind, Matrix, RealSet
from search.grading.reading import relations
from search.grading.reading.intervals import intersection, union
from search.grading.reading.items import SEPARATORS, Reader, read_items
from search.grading.reading.literals import Unreadable
from search.grading.reading.sets import as_set
from search.grading.reading.tokens import LETTER, PYTHON, SIGN, WORD, Token, closing_index, split

COLLECTED = frozenset({"set", "frozenset", "FiniteSet"})
OF_SETS = frozenset({"Interval", "Union", "Intersection", "Complement", "Eq"})
VALUES = (
    PYTHON - COLLECTED - OF_SETS - frozenset({"Fraction", "Rational", "Abs", "Pow", "EmptySet", "Reals"})
)  # print what they hold
INTERVALS = {
    "": (True, True),
    "open": (False, False),
    "Lopen": (False, True),
    "Ropen": (True, False),
}  # ends that belong to it


def read_printed(tokens: Sequence[Token], read: Reader) -> Kind | None:
    """Return what a printed Python container or number holds."""
    name = tokens[0].text
    start, modifier = 1, ""
    if len(tokens) > 3 and tokens[1].text == ".":
        words = [token.text for token in tokens[2 : next((i for i, t in enumerate(tokens) if t.text == "("), 2)]]
        modifier, start = "".join(words), 2 + len(words)
    if start >= len(tokens) or tokens[start].text != "(" or closing_index(tokens, start) != len(tokens) - 1:
        return None
    inside = [token for token in tokens[start + 1 : -1] if token.text not in ("'", '"')]
    if not inside:
        return Collection("{}", ())
    if name in VALUES:
        return _container(name, inside, read)
    if name in COLLECTED:
        items = read_items(inside, read)
        inner = items[0].items if len(items) == 1 and isinstance(items[0], Collection) else items
        return Collection("{}", tuple(inner))
    if name == "Interval":
        return _interval(inside, modifier, read)
    if name in ("Union", "Intersection"):
        sets = [as_set(item) for item in read_items(inside, read)]
        return union(sets) if name == "Union" else intersection(sets[0], sets[1])
    if name == "Eq":
        left, right = split(inside, SEPARATORS)
        return read([*left, Token(SIGN, "="), *right])
    return None


def _container(name: str, inside: Sequence[Token], read: Reader) -> Kind:
    parts = [part for part in split(inside, SEPARATORS) if not any(token.text in ("dtype", "device") for token in part)]
    parts = [
        part
        for part in parts
        if not (len(part) > 1 and part[0].kind in (LETTER, WORD) and "=" in [t.text for t in part])
    ]
    items = [read(part) for part in parts if part]
    if not items:
        raise Unreadable("an empty container")
    if name.endswith(("Matrix", "matrix")) and len(items) == 1 and isinstance(items[0], Collection):
        return Matrix(tuple((item,) for item in items[0].items))
    return items[0] if len(items) == 1 else Collection("()", tuple(items))


def _interval(inside: Sequence[Token], modifier: str, read: Reader) -> RealSet | None:
    items = read_items(inside, read)
    if len(items) < 2 or modifier not in INTERVALS:
        return None
    low_closed, high_closed = INTERVALS[modifier]
    if len(items) >= 3 and isinstance(items[2], Boolean):
        low_closed = not items[2].value
        high_closed = not (len(items) > 3 and isinstance(items[3], Boolean) and items[3].value)
    return relations.interval(items[0], items[1], low_closed, high_closed)
