"""Read the items between brackets, separated by commas, words or spaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from search.grading.kinds import Collection, Expression, Kind, Matrix, Number, Words
from search.grading.reading.literals import Unreadable
from search.grading.reading.tokens import CONJUNCTIONS, NUMBER, SIGN, WORD, Token, change_of_depth, closing_index
from search.grading.values.forms import E, Form, I, Value, atom_value, multiply, symbol

Reader = Callable[[Sequence[Token]], Kind]
SEPARATORS = frozenset({",", ";"})


def product_of_letters(word: Words) -> Value | None:
    """Return the product of the letters of a word of at most three, None for another word."""
    if not word.text.isalpha() or not word.text.isascii() or len(word.text) > 3:
        return None
    product: Value = Fraction(1)
    for letter in word.text:
        product = multiply(product, {"e": atom_value(E), "i": atom_value(I)}.get(letter) or symbol(letter))
    return product


def with_products(items: Sequence[Kind]) -> list[Kind]:
    """Return items with short words read as products of letters if one of the others is a number or an expression."""
    if not any(isinstance(item, (Number, Expression)) for item in items):
        return list(items)
    products = [product_of_letters(item) if isinstance(item, Words) else None for item in items]
    return [Expression(p) if isinstance(p, Form) else item for p, item in zip(products, items, strict=True)]


def flat(items: Sequence[Kind]) -> list[Kind]:
    flat: list[Kind] = []
    for item in items:
        flat += item.items if isinstance(item, Collection) and not item.bracket else (item,)
    return flat


def rows_of(items: Sequence[Kind]) -> Kind:
    rows = [item for item in items if isinstance(item, Collection) and item.bracket == "[]"]
    if rows and len(rows) == len(items) and len({len(row.items) for row in rows}) == 1:
        return Matrix(tuple(row.items for row in rows))
    return Collection("[]", tuple(items))


def read_items(inside: Sequence[Token], read: Reader, opening: str = "(") -> list[Kind]:
    """Return the items between brackets: separated by commas, or by spaces where Python's numpy prints so."""
    parts = [part for part in _split_items(inside) if part]
    if len(parts) == 1 and opening == "[":
        spaced = split_spaces(parts[0])
        parts = spaced or parts
    if not parts:
        raise Unreadable("nothing between brackets")
    return with_products(flat([read(part) for part in parts]))


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


def split_spaces(tokens: Sequence[Token]) -> list[list[Token]] | None:
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
