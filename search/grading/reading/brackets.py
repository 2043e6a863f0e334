r"""Read what stands in brackets: tuples, sets, intervals, set builders and dictionaries."""

from __future__ import annotations

from collections.abc import Sequence

from search.grading.kinds import Assignment, Collection, Infinity, Kind, Matrix, RealSet, Text
from search.grading.reading import relations
from search.grading.reading.cleaning import OPEN_SET
from search.grading.reading.items import SEPARATORS, Reader, flat, read_items, rows_of, split_spaces
from search.grading.reading.literals import Unreadable
from search.grading.reading.matrices import read_environment, read_transposed
from search.grading.reading.names import read_names
from search.grading.reading.printed import read_printed
from search.grading.reading.tokens import END, NAME, OPENING, PYTHON, SIGN, Token, closing_index, split

BUILDERS = frozenset({"|", ":"})


def read_bracketed(tokens: Sequence[Token], read: Reader) -> Kind | None:
    """Return the kind of an item that brackets enclose as a whole, or of sets joined by set operations; else None."""
    first, last = tokens[0], tokens[-1]
    if len(tokens) == 1:
        return _single(first)
    if first.kind == NAME and first.text in PYTHON:
        return read_printed(tokens, read)
    if tokens[-1].text in ("T", "top") or (len(tokens) > 4 and tokens[-2].text in ("T", "top")):
        return read_transposed(tokens, read, read_bracketed)
    if last.kind == END:
        return read_environment(tokens, read)
    if first.kind == SIGN and first.text in OPENING and closing_index(tokens, 0) == len(tokens) - 1:
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


def _enclosed(opening: str, inside: Sequence[Token], closing: str, read: Reader) -> Kind | None:
    if not inside:
        return Collection("{}" if opening in ("{", OPEN_SET) else opening + closing, ())
    if opening in (OPEN_SET, "{"):
        built = _set_builder(inside, read)
        if built is not None:
            return built
    items = read_items(inside, read, opening)
    if opening + closing in ("(]", "[)"):
        result = relations.interval(items[0], items[1], opening == "[", closing == "]") if len(items) == 2 else None
        if result is None:
            raise Unreadable("an interval without two ends")
        return result
    if len(items) == 1 and (opening == "(" or isinstance(items[0], Matrix)):
        return items[0]
    if opening == "{" and len(items) == 1:
        return items[0]
    if opening in ("(", "[") and len(items) == 2 and any(isinstance(item, Infinity) for item in items):
        result = relations.interval(items[0], items[1], opening == "[", closing == "]")
        if result is not None:
            return result
    if opening == "[":
        rows = split(inside, frozenset({";"}))
        if len(rows) > 1 and all(len(split(row, frozenset({","}))) > 1 or split_spaces(row) for row in rows):
            return rows_of([Collection("[]", tuple(read_items(row, read, "["))) for row in rows])
        return rows_of(items)
    if opening == "(":
        return Collection("()", tuple(items))
    return Collection("{}", tuple(flat(items)))


def _set_builder(inside: Sequence[Token], read: Reader) -> Kind | None:
    """Return the set ``{x | condition}``, a dictionary as assignments, None without a bar or colon."""
    parts = split(inside, BUILDERS)
    if len(parts) < 2:
        return None
    pairs = [split(item, frozenset({":"})) for item in split(inside, SEPARATORS)]
    if all(len(pair) == 2 for pair in pairs) and not any(
        token.text in ("<", ">", "≤", "≥", "∈", "=") for token in inside
    ):
        names = [read_names(pair[0]) for pair in pairs]
        if all(len(each) == 1 for each in names):
            return Collection("", tuple(Assignment(n, read(pair[1])) for n, pair in zip(names, pairs, strict=True)))
    if len(parts) > 2:
        return None
    condition = read(parts[1])
    result = relations.as_interval(condition)
    name = read_names(split(parts[0], frozenset({"∈"}))[0])
    if result is not None and len(name) == 1 and result.variable in ("", name[0]):
        return RealSet(result.pieces)
    return Text("{" + "".join(token.text for token in inside) + "}")
