"""Read unions, intersections and differences of sets of reals."""

from __future__ import annotations

from collections.abc import Sequence

from search.grading.kinds import Collection, Expression, Kind, Number, Piece, RealSet
from search.grading.reading import relations
from search.grading.reading.intervals import complement, intersection, union
from search.grading.reading.items import Reader
from search.grading.reading.literals import Unreadable
from search.grading.reading.tokens import NAME, OPENING, Token, change_of_depth

SET_OPERATIONS = frozenset("∪∩∖U-")


def read_set_operation(tokens: Sequence[Token], read: Reader) -> Kind | None:
    parts: list[list[Token]] = [[]]
    signs: list[str] = []
    depth = 0
    for i, token in enumerate(tokens):
        depth += change_of_depth(token)
        is_letter = (
            token.text == "U"
            and 0 < i < len(tokens) - 1
            and tokens[i - 1].text in (")", "]")
            and tokens[i + 1].text in OPENING
        )
        is_minus = token.text in ("-", "∖") and i and tokens[i - 1].text == "R" and tokens[i - 1].kind == NAME
        if depth <= 0 and (token.text in ("∪", "∩", "∖") or is_letter or is_minus):
            parts.append([])
            signs.append("∪" if is_letter else "∖" if is_minus else token.text)
        else:
            parts[-1].append(token)
    if not signs:
        return None
    sets = [as_set(read(part)) for part in parts]
    result = sets[0]
    for sign, other in zip(signs, sets[1:], strict=True):
        if sign == "∪":
            result = union([result, other])
        elif sign == "∩":
            result = intersection(result, other)
        else:
            result = intersection(result, complement([_point(piece) for piece in other.pieces]))
    return result


def _point(piece: Piece) -> Number | Expression:
    if piece.low is None or piece.low is not piece.high:
        raise Unreadable("a difference of sets with an interval")
    return piece.low


def as_set(kind: Kind) -> RealSet:
    if isinstance(kind, Collection) and kind.bracket == "{}":
        points = [item for item in kind.items if isinstance(item, (Number, Expression))]
        if len(points) == len(kind.items):
            return RealSet(tuple(Piece(point, point, True, True) for point in points))
    match = relations.as_interval(kind)
    if match is None:
        raise Unreadable("no set of reals")
    return match
