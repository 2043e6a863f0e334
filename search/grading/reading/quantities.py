"""Read quantities: a magnitude with a unit, a per cent sign, a currency sign or words for what is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise

from search.grading.kinds import Expression, Kind, Number, Quantity, Unit
from search.grading.reading.numerals import CURRENCIES
from search.grading.reading.tokens import (
    FUNCTIONS,
    LETTER,
    NAME,
    NUMBER,
    SIGN,
    WORD,
    Token,
    change_of_depth,
    closing_index,
)
from search.grading.reading.units import MONEY, PARTS, SCALES, SINGLE_LETTERS, UNITS, power, product, read_unit
from search.grading.values.forms import Value, add, multiply

Reader = Callable[[Sequence[Token]], Kind]
OPERATIONS = {"squared": "^2", "cubed": "^3"}
CODES = {
    "usd": "$",
    "us": "$",
    "rs": "₹",
    "inr": "₹",
    "eur": "€",
    "gbp": "£",
    "rmb": "rmb",
    "cny": "rmb",
    "hk": "$",
    "rupees": "₹",
}


def read_quantity(tokens: Sequence[Token], read: Reader) -> Kind | None:
    """Return a quantity, or a number scaled by a word (``2 million``); None without a unit."""
    money = _leading_currency(tokens)
    if money is not None:
        unit, rest = money
        unit, rest = _price(unit, rest)
        inner = read(rest)
        if isinstance(inner, Quantity):
            inner = inner.magnitude
        return Quantity(inner, unit) if isinstance(inner, (Number, Expression)) else None
    compound = _compound(tokens, read)
    if compound is not None:
        return compound
    for index in _unit_starts(tokens):
        head, tail = tokens[:index], tokens[index:]
        scale = _scale(tail[0])
        if scale is not None:
            scaled = _scaled(read(head), scale)
            if len(tail) == 1 or scaled is None:
                return scaled
            counted = _unit(tail[1:] if tail[1].text != "of" else tail[2:])
            return Quantity(scaled, counted) if counted is not None else None
        named = _unit(tail)
        if named is not None:
            inner = read(head)
            if isinstance(inner, Quantity):  # a sum of two quantities: 3 hours 20 minutes
                return None
            if not isinstance(inner, (Number, Expression)):
                return None
            loose = len(tail) == 1 and tail[0].kind == LETTER and not tail[0].roman and not tail[0].space
            return Quantity(inner, named, loose)
    return None


def _leading_currency(tokens: Sequence[Token]) -> tuple[Unit, list[Token]] | None:
    """Return a currency before a number and the tokens without it: ``-$5``, ``Rs. 50``, ``USD 20``."""
    start = 1 if tokens[0].text in ("+", "-") else 0
    if len(tokens) < start + 2:
        return None
    token = tokens[start]
    skip = start + 1
    if token.kind == SIGN and token.text in CURRENCIES:
        unit = UNITS[token.text]
    elif token.kind == WORD and token.text.lower() in CODES:
        unit = UNITS[CODES[token.text.lower()]]
        while skip < len(tokens) and tokens[skip].text in (".", *CURRENCIES):
            skip += 1
    else:
        return None
    rest = [*tokens[:start], *tokens[skip:]]
    return (unit, rest) if len(rest) > start else None


def _price(unit: Unit, tokens: list[Token]) -> tuple[Unit, list[Token]]:
    """Take "per hour" from behind an amount of money."""
    for index, token in enumerate(tokens):
        following = tokens[index + 1 :]
        if index and token.text in ("per", "/", "each", "a", "an") and following and following[0].kind == WORD:
            divisor = read_unit(following)
            if divisor is not None:
                return product(unit, power(divisor, -1)), tokens[:index]
    return unit, tokens


def _unit_starts(tokens: Sequence[Token]) -> list[int]:
    """Return the places outside brackets where a unit may begin, the first one first."""
    starts: list[int] = []
    depth = 0
    for index, token in enumerate(tokens):
        before = depth
        depth += change_of_depth(token)
        if index and before == 0 and _may_begin_unit(tokens, index):
            starts.append(index)
    return starts


def _may_begin_unit(tokens: Sequence[Token], index: int) -> bool:
    token, last = tokens[index], tokens[index - 1]
    if last.text in ("^", "_", "*", "+", "-", "/") and last.kind == SIGN:
        return False
    if token.text == "°" and any(each.kind == NAME and each.text in FUNCTIONS for each in tokens[:index]):
        return False  # an angle within a function
    if token.kind == WORD or token.text in ("°", "%") or (token.kind == SIGN and token.text in CURRENCIES):
        return True
    if token.text == "(":
        following = tokens[index + 1] if index + 1 < len(tokens) else token
        is_unit = following.kind == WORD or (following.kind == LETTER and len(tokens) == index + 3 and token.space)
        return is_unit and tokens[-1].text == ")" and last.kind == NUMBER
    if token.kind == LETTER:
        is_after_number = last.kind == NUMBER or last.text in (")", "}")
        return is_after_number and (token.roman or token.text in SINGLE_LETTERS or not token.text.isascii())
    return token.text in ("Omega", "mu")


def _unit(tokens: Sequence[Token]) -> Unit | None:
    if len(tokens) > 2 and tokens[0].text == "(" and closing_index(tokens, 0) == len(tokens) - 1:
        tokens = tokens[1:-1]
        if tokens[0].text.lower() == "in" and len(tokens) > 1:
            tokens = tokens[1:]
    if len(tokens) == 1 and tokens[0].text in CURRENCIES:
        return UNITS[tokens[0].text]
    if len(tokens) == 1 and tokens[0].kind == LETTER and not tokens[0].roman:
        known = tokens[0].text in SINGLE_LETTERS or not tokens[0].text.isascii()
        if not known:
            return None
        named = {"C": "coulomb", "F": "farad"}.get(tokens[0].text)
        return UNITS[named] if named else read_unit(tokens)
    return read_unit(tokens)


def _scale(token: Token) -> Fraction | None:
    """Return the factor that a word stands for: ``dozen``, ``million``, ``halves``."""
    word = token.text.lower()
    if token.kind not in (WORD, LETTER):
        return None
    if word in SCALES:
        return Fraction(SCALES[word])
    return Fraction(1, PARTS[word]) if word in PARTS else None


def _scaled(magnitude: Kind, scale: Fraction) -> Number | Expression | None:
    if isinstance(magnitude, Number):
        return Number(magnitude.value * scale, magnitude.digits)
    return Expression(multiply(magnitude.value, scale)) if isinstance(magnitude, Expression) else None


def _compound(tokens: Sequence[Token], read: Reader) -> Kind | None:
    """Return the sum of quantities written after each other: ``3 hours 20 minutes``, ``5 ft 3 in``."""
    starts = [
        i for i, token in enumerate(tokens) if token.kind == NUMBER and i and tokens[i - 1].kind in (WORD, LETTER)
    ]
    if not starts or len(starts) > 3 or tokens[0].kind != NUMBER:
        return None
    bounds = [0, *starts, len(tokens)]
    try:
        parts = [read(tokens[a:b]) for a, b in pairwise(bounds)]
    except ValueError:  # unreadable
        return None
    return joined_quantity(parts)


def joined_quantity(items: Sequence[Kind]) -> Quantity | None:
    """Return the sum of quantities of one dimension in descending units, in the last one (money: the first); None else."""
    quantities = [item for item in items if isinstance(item, Quantity)]
    if len(quantities) < max(2, len(items)):
        return None
    last = quantities[-1].unit
    into = quantities[0].unit if dict(last.dimension).keys() & MONEY else last
    if not last.dimension or any(quantity.unit.dimension != last.dimension for quantity in quantities):
        return None
    factors = [quantity.unit.factor for quantity in quantities]
    if any(a <= b for a, b in pairwise(factors)):
        return None
    total: Value = Fraction(0)
    for quantity in quantities:
        total = add(total, multiply(quantity.magnitude.value, quantity.unit.factor / into.factor))
    return Quantity(Number(total) if isinstance(total, Fraction) else Expression(total), into)
