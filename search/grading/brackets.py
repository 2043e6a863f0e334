r"""Read what stands in brackets: tuples, sets, intervals, matrices, set builders, and Python's printed containers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from search.grading import relations
from search.grading.cleaning import CLOSE_SET, OPEN_SET, ROW_BREAK
from search.grading.expressions import Unreadable, read_expression
from search.grading.forms import Form, multiply
from search.grading.intervals import complement, intersection, union
from search.grading.kinds import (
    Assignment,
    Boolean,
    Collection,
    Expression,
    Infinity,
    Kind,
    Matrix,
    Number,
    Piece,
    RealSet,
    Text,
)
from search.grading.tokens import (
    BEGIN,
    CONJUNCTIONS,
    END,
    LETTER,
    NAME,
    NUMBER,
    PYTHON,
    SIGN,
    WORD,
    Token,
    change_of_depth,
    closing_index,
    split,
)

Reader = Callable[[Sequence[Token]], Kind]
SEPARATORS = frozenset({",", ";"})
OPEN = frozenset({"(", "[", "{", OPEN_SET})
BUILDERS = frozenset({"|", ":"})
TRANSPOSED = ({"T"}, {"top"}, {"{T}"})
SCALARS = frozenset(
    [
        "mpf",
        "mpc",
        "float",
        "float16",
        "float32",
        "float64",
        "int",
        "int8",
        "int16",
        "int32",
        "int64",
        "complex",
        "complex128",
        "str",
        "bool_",
        "longdouble",
        "uint8",
        "uint32",
        "uint64",
        "Integer",
        "Float",
        "Decimal",
        "tensor",
        "array",
        "Matrix",
        "ImmutableMatrix",
        "MutableDenseMatrix",
        "ImmutableDenseMatrix",
        "matrix",
        "list",
        "tuple",
        "Tuple",
        "Point",
        "Point2D",
        "Point3D",
    ]
)
INTERVALS = {
    "": (True, True),
    "open": (False, False),
    "Lopen": (False, True),
    "Ropen": (True, False),
    "closed": (True, True),
}
ROUND_ENVIRONMENTS = frozenset(
    {"cases", "aligned", "align", "array", "gathered", "split", "equation", "rcases", "gather"}
)


def read_bracketed(tokens: Sequence[Token], read: Reader) -> Kind | None:
    """Return the kind of an item that brackets enclose as a whole, or of sets joined by set operations; else None."""
    joined = _set_operation(tokens, read)
    if joined is not None:
        return joined
    first, last = tokens[0], tokens[-1]
    if len(tokens) == 1:
        return _single(first)
    if first.kind == NAME and first.text in PYTHON:
        return _called(tokens, read)
    if (
        first.kind == SIGN
        and last.kind == SIGN
        and first.text in "]["
        and last.text in "]["
        and "".join((first.text, last.text)) != "[]"
    ):
        return _french(tokens, read)
    if tokens[-1].text in ("T", "top") or (len(tokens) > 4 and tokens[-2].text in ("T", "top")):
        return _transposed(tokens, read)
    if last.kind == END:
        return _environment(tokens, read)
    if first.kind == SIGN and first.text in OPEN and closing_index(tokens, 0) == len(tokens) - 1:
        return _enclosed(first.text, tokens[1:-1], last.text, read)
    return None


def _single(token: Token) -> Kind | None:
    if token.text == "∅" or token.text == "EmptySet":
        return Collection("{}", ())
    if (token.kind == NAME and token.text == "R") or token.text == "Reals":
        return relations.all_reals()
    if token.text in ("…", "•••"):
        return Text("…")
    return None


def _set_operation(tokens: Sequence[Token], read: Reader) -> Kind | None:
    parts: list[list[Token]] = [[]]
    signs: list[str] = []
    depth = 0
    for i, token in enumerate(tokens):
        depth += change_of_depth(token)
        is_letter = (
            token.text == "U"
            and 0 < i < len(tokens) - 1
            and tokens[i - 1].text in (")", "]")
            and tokens[i + 1].text in OPEN
        )
        is_minus = token.text in ("-", "∖") and i and tokens[i - 1].text == "R" and tokens[i - 1].kind == NAME
        if depth <= 0 and (token.text in ("∪", "∩", "∖") or is_letter or is_minus):
            parts.append([])
            signs.append("∪" if is_letter else "∖" if is_minus else token.text)
        else:
            parts[-1].append(token)
    if not signs:
        return None
    sets = [_as_set(read(part)) for part in parts]
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


def _as_set(kind: Kind) -> RealSet:
    if isinstance(kind, Collection) and kind.bracket == "{}":
        points = [item for item in kind.items if isinstance(item, (Number, Expression))]
        if len(points) == len(kind.items):
            return RealSet(tuple(Piece(point, point, True, True) for point in points))
    found = relations.as_interval(kind)
    if found is None:
        raise Unreadable("no set of reals")
    return found


def _enclosed(opening: str, inside: Sequence[Token], closing: str, read: Reader) -> Kind | None:
    if not inside:
        return Collection("{}" if opening in ("{", OPEN_SET) else opening + closing, ())
    if opening in (OPEN_SET, "{"):
        built = _set_builder(inside, read)
        if built is not None:
            return built
    items = read_items(inside, read, opening)
    if opening + closing in ("(]", "[)"):
        found = relations.interval(items[0], items[1], opening == "[", closing == "]") if len(items) == 2 else None
        if found is None:
            raise Unreadable("an interval without two ends")
        return found
    if opening == "(" and len(items) == 1:
        return items[0]
    if opening == "{" and len(items) == 1:
        return items[0]
    if opening in ("(", "[") and len(items) == 2 and any(isinstance(item, Infinity) for item in items):
        found = relations.interval(items[0], items[1], opening == "[", closing == "]")
        if found is not None:
            return found
    if opening == "[":
        return _rows(items)
    if opening == "(":
        return Collection("()", tuple(items))
    return Collection("{}", tuple(_flat(items)))


def _flat(items: Sequence[Kind]) -> list[Kind]:
    flat: list[Kind] = []
    for item in items:
        flat += item.items if isinstance(item, Collection) and not item.bracket else (item,)
    return flat


def _rows(items: Sequence[Kind]) -> Kind:
    rows = [item for item in items if isinstance(item, Collection) and item.bracket == "[]"]
    if rows and len(rows) == len(items) and len({len(row.items) for row in rows}) == 1:
        return Matrix(tuple(row.items for row in rows))
    return Collection("[]", tuple(items))


def read_items(inside: Sequence[Token], read: Reader, opening: str = "(") -> list[Kind]:
    """Return the items between brackets: separated by commas, or by spaces where Python's numpy prints so."""
    parts = [part for part in _split_items(inside) if part]
    if len(parts) == 1 and opening == "[":
        spaced = _split_spaces(parts[0])
        parts = spaced or parts
    if not parts:
        raise Unreadable("nothing between brackets")
    return _flat([read(part) for part in parts])


def _split_items(inside: Sequence[Token]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in inside:
        depth += change_of_depth(token)
        is_word = token.kind == WORD and token.text.lower() in CONJUNCTIONS
        if depth == 0 and (is_word or (token.kind == SIGN and token.text in SEPARATORS)):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _split_spaces(tokens: Sequence[Token]) -> list[list[Token]] | None:
    """Return the numbers or bracketed rows that spaces separate; None for anything else."""
    parts: list[list[Token]] = []
    index = 0
    while index < len(tokens):
        end = index
        if tokens[end].text in ("+", "-"):
            end += 1
        if end < len(tokens) and tokens[end].text == "[":
            end = closing_index(tokens, end)
        elif end >= len(tokens) or tokens[end].kind != NUMBER:
            return None
        if end < 0 or (index and not tokens[index].space):
            return None
        parts.append(list(tokens[index : end + 1]))
        index = end + 1
    return parts if len(parts) > 1 else None


def _set_builder(inside: Sequence[Token], read: Reader) -> Kind | None:
    """Return the set ``{x | condition}``, a dictionary as assignments, None without a bar or colon."""
    parts = split(inside, BUILDERS)
    if len(parts) < 2:
        return None
    pairs = [split(item, frozenset({":"})) for item in split(inside, SEPARATORS)]
    if all(len(pair) == 2 for pair in pairs) and not any(
        token.text in ("<", ">", "≤", "≥", "∈", "=") for token in inside
    ):
        names = [relations.read_names(pair[0]) for pair in pairs]
        if all(len(each) == 1 for each in names):
            return Collection("", tuple(Assignment(n, read(pair[1])) for n, pair in zip(names, pairs, strict=True)))
    if len(parts) > 2:
        return None
    condition = read(parts[1])
    found = relations.as_interval(condition)
    name = relations.read_names(split(parts[0], frozenset({"∈"}))[0])
    if found is not None and len(name) == 1 and found.variable in ("", name[0]):
        return RealSet(found.pieces)
    return Text("{" + "".join(token.text for token in inside) + "}")


def _french(tokens: Sequence[Token], read: Reader) -> Kind | None:
    inside = tokens[1:-1]
    if any(token.kind == SIGN and token.text in "[]" for token in inside):
        return None
    items = read_items(inside, read)
    if len(items) != 2:
        return None
    return relations.interval(items[0], items[1], tokens[0].text == "[", tokens[-1].text == "]")


def _transposed(tokens: Sequence[Token], read: Reader) -> Kind | None:
    at = len(tokens) - (2 if tokens[-2].text == "^" else 4)
    if at < 2 or tokens[at].text != "^":
        return None
    inner = read_bracketed(tokens[:at], read)
    if isinstance(inner, Collection) and inner.bracket in ("()", "[]"):
        return Matrix(tuple((item,) for item in inner.items))
    return Matrix(tuple(zip(*inner.rows, strict=True))) if isinstance(inner, Matrix) else None


def _environment(tokens: Sequence[Token], read: Reader) -> Kind | None:
    start = next((i for i, token in enumerate(tokens) if token.kind == BEGIN), -1)
    if start < 0 or closing_index(tokens, start) != len(tokens) - 1:
        return None
    matrix = _matrix(tokens[start].text, tokens[start + 1 : -1], read)
    if start == 0 or not isinstance(matrix, Matrix):
        if start and tokens[0].text in (OPEN_SET, "(", "[", "|"):
            return matrix if start == 1 else None
        return matrix if start == 0 else None
    factor = read_expression(tokens[:start] if tokens[start - 1].text != "*" else tokens[: start - 1])
    return Matrix(tuple(tuple(_times(factor, entry) for entry in row) for row in matrix.rows), matrix.fence)


def _times(factor: object, entry: Kind) -> Kind:
    if not isinstance(entry, (Number, Expression)):
        raise Unreadable("a product with an entry that is no number")
    value = multiply(factor, entry.value)  # type: ignore[arg-type]
    return Expression(value) if isinstance(value, Form) else Number(value)


def _matrix(name: str, inside: Sequence[Token], read: Reader) -> Kind:
    rows = [split(row, frozenset({"&"})) for row in split(inside, frozenset({ROW_BREAK})) if row]
    rows = [[[token for token in cell if token.text != "hline"] for cell in row] for row in rows]
    if name in ROUND_ENVIRONMENTS and all(sum(bool(cell) for cell in row) == 1 or name == "aligned" for row in rows):
        merged = [[token for cell in row for token in cell] for row in rows]
        return Collection("", tuple(_flat([read(_without_comma(row)) for row in merged if row])))
    if not rows or len({len(row) for row in rows}) != 1:
        raise Unreadable("rows of different lengths")
    entries = tuple(tuple(_cell(cell, read) for cell in row) for row in rows)
    return Matrix(entries, {"vmatrix": "|", "Vmatrix": "||", "cases": "cases"}.get(name, ""))


def _without_comma(tokens: list[Token]) -> list[Token]:
    return tokens[:-1] if tokens and tokens[-1].text in (",", ".", ";") else tokens


def _cell(tokens: list[Token], read: Reader) -> Kind:
    try:
        return read(_without_comma(tokens))
    except (Unreadable, ArithmeticError, ValueError):
        return Text(" ".join(token.text for token in tokens))


def _called(tokens: Sequence[Token], read: Reader) -> Kind | None:
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
    if name in SCALARS:
        return _container(name, inside, read)
    if name in ("set", "frozenset", "FiniteSet"):
        items = read_items(inside, read)
        inner = items[0].items if len(items) == 1 and isinstance(items[0], Collection) else items
        return Collection("{}", tuple(inner))
    if name == "Interval":
        return _interval(inside, modifier, read)
    if name in ("Union", "Intersection"):
        sets = [_as_set(item) for item in read_items(inside, read)]
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


__all__ = ["CLOSE_SET", "read_bracketed", "read_items"]
