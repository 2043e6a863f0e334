"""Read the names that values are given: ``x``, ``f(x)``, ``AB``, ``(x, y)``, ``the area``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from search.grading.kinds import Assignment, Collection, Expression, Kind, Number
from search.grading.reading.expressions import read_expression
from search.grading.reading.literals import Unreadable
from search.grading.reading.tokens import LETTER, NAME, SIGN, WORD, Token, written
from search.grading.values.forms import UNIT, Form, Value

Reader = Callable[[Sequence[Token]], Kind]


def read_names(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Return the names that tokens are: ``x``, ``x_1``, ``f(x)``, ``AB``, ``(x, y)``, ``the area``; () if they are no names."""
    if not tokens or tokens[0].kind not in (LETTER, NAME, WORD, SIGN):
        return ()
    if tokens[0].text == "(" and tokens[-1].text == ")" and any(token.text == "," for token in tokens):
        inner = [read_names([token]) for token in tokens[1:-1] if token.text != ","]
        return tuple(names[0] for names in inner) if all(inner) else ()
    if tokens[0].kind == SIGN:
        return ()
    if tokens[0].text in ("angle", "triangle", "overline", "measuredangle", "widehat", "overrightarrow", "vec"):
        return (written(tokens),)
    if any(token.kind == WORD and (token.roman or len(token.text) > 3) for token in tokens):
        plain = all(token.kind in (WORD, LETTER, NAME) or token.text in "'()_{}," for token in tokens)
        return (" ".join(token.text for token in tokens).casefold(),) if plain else ()
    if tokens[0].kind == LETTER and len(tokens) >= 4 and tokens[1].text == "(" and tokens[-1].text == ")":
        inside = tokens[2:-1]
        if all(token.kind in (LETTER, NAME) or token.text == "," for token in inside):
            return (written(tokens),)
    try:
        value = read_expression(tokens)
    except (Unreadable, ArithmeticError, ValueError):
        return ()
    name = name_of_symbol(value)
    return (name,) if name else ()


def name_of_symbol(value: Value) -> str:
    """Return the name of a value that is a single symbol or call, else ""."""
    if isinstance(value, Form) and value.den == UNIT and len(value.num) == 1:
        ((mono, coefficient),) = value.num.items()
        if coefficient == 1 and len(mono) == 1 and mono[0][1] == 1 and mono[0][0].fn in ("", "f", "g"):
            return mono[0][0].name
    return ""


def with_name(items: Sequence[Kind]) -> Sequence[Kind]:
    """Give the name of the first item to all others if none has one: ``k = 3, 5``."""
    first = items[0]
    if not isinstance(first, Assignment) or len(first.names) > 1:
        return items
    if not all(isinstance(item, (Number, Expression)) for item in (first.value, *items[1:])):
        return items
    return [first, *(Assignment(first.names, item) for item in items[1:])]


def read_parallel_assignment(groups: Sequence[Sequence[Token]], read: Reader) -> Kind | None:
    """Return ``x, y = 1, 2`` as assignments; None for other groups."""
    places = [i for i, group in enumerate(groups) if any(token.text == "=" for token in group)]
    count, odd = divmod(len(groups) + 1, 2)
    if odd or len(places) != 1 or places[0] != count - 1 or count < 2:
        return None
    middle = list(groups[places[0]])
    at = next(i for i, token in enumerate(middle) if token.text == "=")
    names = [read_names(group) for group in [*groups[: count - 1], middle[:at]]]
    if not all(len(each) == 1 for each in names):
        return None
    values = [read(group) for group in [middle[at + 1 :], *groups[count:]]]
    return Collection("", tuple(Assignment(each, value) for each, value in zip(names, values, strict=True)))
