r"""Read matrices, cases and aligned equations in LaTeX environments, with a factor before or a transposition after them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from search.grading.kinds import Assignment, Collection, Expression, Kind, Matrix, Number, RealSet, Relation, Text
from search.grading.reading.cleaning import OPEN_SET, ROW_BREAK
from search.grading.reading.expressions import read_expression
from search.grading.reading.items import Reader, flat, with_products
from search.grading.reading.literals import Unreadable
from search.grading.reading.tokens import BEGIN, Token, closing_index, split
from search.grading.values.forms import Form, Value, multiply

ROUND_ENVIRONMENTS = frozenset({"cases", "aligned", "align", "gathered", "split", "equation", "rcases", "gather"})


def read_transposed(
    tokens: Sequence[Token], read: Reader, read_bracketed: Callable[[Sequence[Token], Reader], Kind | None]
) -> Kind | None:
    at = len(tokens) - (2 if tokens[-2].text == "^" else 4)
    if at < 2 or tokens[at].text != "^":
        return None
    inner = read_bracketed(tokens[:at], read)
    if isinstance(inner, Collection) and inner.bracket in ("()", "[]"):
        return Matrix(tuple((item,) for item in inner.items))
    return Matrix(tuple(zip(*inner.rows, strict=True))) if isinstance(inner, Matrix) else None


def read_environment(tokens: Sequence[Token], read: Reader) -> Kind | None:
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


def _times(factor: Value, entry: Kind) -> Kind:
    if not isinstance(entry, (Number, Expression)):
        raise Unreadable("a product with an entry that is no number")
    value = multiply(factor, entry.value)
    return Expression(value) if isinstance(value, Form) else Number(value)


def _matrix(name: str, inside: Sequence[Token], read: Reader) -> Kind:
    rows = [split(row, frozenset({"&"})) for row in split(inside, frozenset({ROW_BREAK})) if row]
    rows = [[[token for token in cell if token.text != "hline"] for cell in row] for row in rows]
    if name in ROUND_ENVIRONMENTS and all(sum(bool(cell) for cell in row) == 1 or name == "aligned" for row in rows):
        merged = [[token for cell in row for token in cell] for row in rows]
        return Collection("", tuple(flat([read(_without_comma(row)) for row in merged if row])))
    if not rows or len({len(row) for row in rows}) != 1:
        raise Unreadable("rows of different lengths")
    cells = with_products([_cell(cell, read) for row in rows for cell in row])
    width = len(rows[0])
    entries = tuple(tuple(cells[i : i + width]) for i in range(0, len(cells), width))
    if name == "array" and all(
        len(row) == 1 and isinstance(row[0], (Assignment, Relation, RealSet)) for row in entries
    ):
        return Collection("", tuple(row[0] for row in entries))
    return Matrix(entries, {"vmatrix": "|", "Vmatrix": "||", "cases": "cases"}.get(name, ""))


def _without_comma(tokens: list[Token]) -> list[Token]:
    return tokens[:-1] if tokens and tokens[-1].text in (",", ".", ";") else tokens


def _cell(tokens: list[Token], read: Reader) -> Kind:
    try:
        return read(_without_comma(tokens))
    except (Unreadable, ArithmeticError, ValueError):
        return Text(" ".join(token.text for token in tokens))
