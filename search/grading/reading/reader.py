r"""Read an answer into one of the kinds: from lists and relations down to numbers, words and plain text.

answer  := item ((";" | "," | "and" | "or") item)*
item    := relation | interval or set | tuple | matrix | ratio | choice | quantity | expression | words
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache

from search.grading.kinds import Boolean, Choice, Collection, Expression, Infinity, Kind, Number, Ratio, Text, Words
from search.grading.reading import relations
from search.grading.reading.brackets import read_bracketed
from search.grading.reading.cleaning import clean
from search.grading.reading.expressions import read_expression
from search.grading.reading.literals import Unreadable
from search.grading.reading.names import read_parallel_assignment, with_name
from search.grading.reading.numerals import decimal_digits, number_value, read_base, read_plain_number, read_scientific
from search.grading.reading.quantities import joined_quantity, read_quantity
from search.grading.reading.sets import SET_OPERATIONS, read_set_operation
from search.grading.reading.tokens import (
    CONJUNCTIONS,
    LETTER,
    LETTER_NAMES,
    NAME,
    NAMES,
    NUMBER,
    SIGN,
    WORD,
    Token,
    change_of_depth,
    is_word_like,
    split,
    tokenize,
    written,
)
from search.grading.values.forms import Value

MAX_LENGTH = 1000  # characters; a longer text is no answer
CACHED = 1 << 15
MAX_TOKENS = 600
WORDS = re.compile(r"[^\W\d_][^\W\d_'’.\-]*(?:(?:\s|,\s?|/|-)+[^\W\d_][^\W\d_'’.\-]*)*[.!]?")
CHOICE = re.compile(
    r"(?:(?:option|choice|answer)\s+)?(?P<open>[(\[]?)\s*(?P<letter>[A-Ja-j])\s*(?P<close>[)\].:]?)(?P<rest>\s+\S.*)?",
    re.DOTALL | re.IGNORECASE,
)
TIME = re.compile(r"(\d{1,2})(?::(\d{2})(?::(\d{2}))?)?\s*([ap])\.?\s*m\.?", re.IGNORECASE)
OUTWARD = re.compile(r"(?:^|(?<=[∪∩∈]))\s*([\[\]])([^\[\]]+[,;][^\[\]]+)([\[\]])\s*(?=$|[∪∩])")
BOOLEANS = {"true": True, "false": False}
ALL_REALS = frozenset(
    {"all real numbers", "all reals", "the set of all real numbers", "all real values", "any real number"}
)
LIST_SIGNS = frozenset({",", ";", "⏎", "±", "∓"})
FAILURES = (Unreadable, ArithmeticError, ValueError, RecursionError, MemoryError)


@lru_cache(maxsize=CACHED)
def read(answer: str) -> Kind:
    """Return the kind and value of an answer. Never raises for its content."""
    number = read_plain_number(answer) if len(answer) <= 100 else None
    if number is not None:
        return number
    if len(answer) > MAX_LENGTH:
        return Text(answer)
    try:
        text = clean(answer)
        return read_clean(text)
    except FAILURES:
        return Text(plain_text(answer))


def read_clean(text: str) -> Kind:
    """Return the kind of a cleaned answer."""
    number = read_plain_number(text)
    if number is not None:
        return number
    if text.count("[") != text.count("]") or text.startswith("]"):
        text = OUTWARD.sub(_inward, text)
    tokens = tokenize(text)
    bare = "".join(sign for sign in text if sign not in "\x02\x03")
    special = _special(bare.strip(), tokens)
    if special is not None:
        return special
    if not tokens or len(tokens) > MAX_TOKENS:
        return Text(plain_text(bare))
    try:
        return read_list(tokens)
    except FAILURES:
        return words_or_text(bare)


def _inward(interval: re.Match[str]) -> str:
    """Write an interval whose open ends have brackets that face outward, ``]0, 1]``, with round ones."""
    return f"{'(' if interval[1] == ']' else '['}{interval[2]}{')' if interval[3] == '[' else ']'}"


def _special(text: str, tokens: Sequence[Token]) -> Kind | None:
    """Return a choice, a time of day, a truth value or words; None for what may be mathematics."""
    lower = text.lower().rstrip(".!")
    if lower in BOOLEANS:
        return Boolean(BOOLEANS[lower])
    if lower in ALL_REALS:
        return relations.all_reals()
    result = TIME.fullmatch(text)
    if result is not None:
        parts = tuple(Number(number_value(part)) for part in result.groups()[:3] if part is not None)
        parts = parts if len(parts) > 1 else (*parts, Number(Fraction(0)))
        return Ratio(parts, is_time=True, half=result[4].lower() + "m")
    base = read_base(text) if "base" in lower else None
    if base is not None:
        return base
    choice = read_choice(text)
    if choice is not None:
        return choice
    return read_words(text, tokens)


def read_choice(text: str) -> Choice | None:
    """Return the option that a text names: ``B``, ``(B)``, ``B.``, ``Option B``, ``(B) 12``."""
    result = CHOICE.fullmatch(text)
    if result is None:
        return None
    letter, opened, closed, rest = result["letter"], result["open"], result["close"], result["rest"]
    named = result.start("open") > 0
    if opened and closed != {"(": ")", "[": "]"}[opened]:
        return None
    if rest and not closed:
        return None
    if letter.islower() and not (named or (opened and closed)):
        return None
    return Choice(letter.upper() if letter.isupper() or named else letter, bool(opened or named or closed))


def read_words(text: str, tokens: Sequence[Token]) -> Kind | None:
    """Return a word or phrase; None if the text may be mathematics or a list."""
    if WORDS.fullmatch(text) is None:
        return None
    parts = re.split(r"[\s,/\-]+", text.rstrip(".!"))
    if (len(parts) == 1 or "/" in text or "-" in text) and any(len(part) == 1 for part in parts):
        return None
    if any(part.lower() in CONJUNCTIONS for part in parts) or "," in text:
        return None
    if all(token.kind in (NAME, LETTER) for token in tokens) and not (len(parts) == 1 and is_word_like(parts[0])):
        return None
    has_function = any(token.kind == NAME and token.text not in LETTER_NAMES for token in tokens)
    if (
        has_function
        and len(parts) <= 3
        and all(token.kind in (NAME, LETTER) or len(token.text) <= 2 for token in tokens)
    ):
        return None
    if len(parts) == 1 and parts[0] in NAMES and all(token.kind == NAME for token in tokens):
        return None
    return Words(phrase(text))


def phrase(text: str) -> str:
    """Return words in lower case with single spaces, without an article in front."""
    words = re.sub(r"[\s\-/]+", " ", text.casefold()).strip(" .!?,;")
    return re.sub(r"^(?:the|an?) (?=\w)", "", words)


def words_or_text(text: str) -> Kind:
    shown = plain_text(text)
    return Words(phrase(shown)) if WORDS.fullmatch(text.strip()) else Text(shown)


def plain_text(text: str) -> str:
    """Return text without spaces except between letters and digits; in lower case if it holds a word of three letters."""
    text = re.sub(r"\s+", " ", text.replace("\x02", "").replace("\x03", "")).strip()
    text = re.sub(r"(?<!\w) | (?!\w)", "", text)
    return text.casefold() if re.search(r"(?<!\\)\b[^\W\d_]{3,}", text) else text


def read_list(tokens: Sequence[Token]) -> Kind:
    """Read items separated by semicolons, commas, "and" or "or"; a single one is no list."""
    texts = {token.text for token in tokens}
    if not texts & LIST_SIGNS and not any(
        token.kind == WORD and token.text.lower() in CONJUNCTIONS for token in tokens
    ):
        return read_item(tokens)
    if "±" in texts or "∓" in texts:
        return Collection("", tuple(_plain_items([read_list(_with_sign(tokens, sign)) for sign in "+-"])))
    parts = split(tokens, frozenset({";", "⏎"}))
    if len(parts) > 1:
        return _listed([read_list(part) for part in parts if part], "")
    groups, joint = _items(tokens)
    if len(groups) == 1:
        return read_item(groups[0])
    assigned = read_parallel_assignment(groups, read_item)
    if assigned is not None:
        return assigned
    return _listed([read_item(group) for group in groups], joint)


def _listed(items: list[Kind], joint: str) -> Kind:
    if len(items) == 1:
        return items[0]
    if not items:
        raise Unreadable("an empty list")
    combined = relations.combine(items, joint) or (joined_quantity(items) if joint != "or" else None)
    return combined or Collection("", tuple(with_name(_plain_items(items))), _mixed(items, joint))


def _plain_items(items: Sequence[Kind]) -> list[Kind]:
    flat: list[Kind] = []
    for item in items:
        flat += item.items if isinstance(item, Collection) and not item.bracket else (item,)
    return flat


def _with_sign(tokens: Sequence[Token], sign: str) -> list[Token]:
    other = "-" if sign == "+" else "+"
    return [
        Token(SIGN, sign if token.text == "±" else other, token.space)
        if token.kind == SIGN and token.text in "±∓"
        else token
        for token in tokens
    ]


def _items(tokens: Sequence[Token]) -> tuple[list[list[Token]], str]:
    """Split at commas, "and" and "or" outside brackets. A comma before three digits without a space groups digits."""
    groups: list[list[Token]] = [[]]
    depth, joint = 0, ""
    for i, token in enumerate(tokens):
        depth += change_of_depth(token)
        if depth <= 0 and token.kind == WORD and token.text.lower() in CONJUNCTIONS:
            joint = token.text.lower()
            groups.append([])
        elif depth <= 0 and token.kind == SIGN and token.text == "," and not _groups_digits(tokens, i):
            groups.append([])
        else:
            groups[-1].append(token)
    return [group for group in groups if group] or [[]], joint


def _mixed(items: Sequence[Kind], joint: str) -> Number | None:
    """Return the mixed number that a whole number and a proper fraction joined by "and" may be: ``2 and 1/2``."""
    if joint != "and" or len(items) != 2:
        return None
    whole, part = items
    if (
        not isinstance(whole, Number)
        or not isinstance(part, Number)
        or whole.digits is not None
        or part.digits is not None
    ):
        return None
    return (
        Number(whole.value + part.value)
        if whole.value.denominator == 1 and whole.value > 0 and 0 < part.value < 1
        else None
    )


def _groups_digits(tokens: Sequence[Token], comma: int) -> bool:
    """Return whether a comma groups the digits of one number, as in ``1,234``."""
    start = comma
    while start >= 2 and tokens[start].text == "," and _is_group(tokens[start - 1]) and tokens[start - 2].text == ",":
        start -= 2
    first = tokens[start - 1] if start else None
    following = tokens[comma + 1] if comma + 1 < len(tokens) else None
    if first is None or following is None or tokens[comma].space or not _is_group(following):
        return False
    return first.kind == NUMBER and first.text.isdecimal() and len(first.text) <= 3 and first.text[0] != "0"


def _is_group(token: Token) -> bool:
    return token.kind == NUMBER and not token.space and len(token.text.split(".")[0]) == 3 and "(" not in token.text


def read_item(tokens: Sequence[Token]) -> Kind:
    """Read one item. Raises one of FAILURES for what is no item of mathematics."""
    if not tokens:
        raise Unreadable("nothing")
    texts = {token.text for token in tokens}
    for signs, reader in READERS:
        kind = reader(tokens, read_list) if not signs or texts & signs else None
        if kind is not None:
            return kind
    try:
        return read_expression_kind(tokens)
    except FAILURES:
        shown = "".join(token.text if not token.space else " " + token.text for token in tokens).strip()
        if all(token.kind in (WORD, LETTER, NAME) or token.text in "'.-" for token in tokens):
            return Words(phrase(shown))
        raise


def _read_ratio(tokens: Sequence[Token], read_inner: object) -> Kind | None:
    tokens = [Token(SIGN, ":", token.space) if token.kind == WORD and token.text == "to" else token for token in tokens]
    parts = split(tokens, frozenset({":"}))
    if len(parts) < 2 or not all(parts):
        return None
    values = [read_expression_kind(part) for part in parts]
    numbers = tuple(value for value in values if isinstance(value, (Number, Expression)))
    if len(numbers) < len(values):
        return None
    texts = [written(part) for part in parts]
    is_time = all(text.isdecimal() for text in texts) and all(len(text) == 2 and int(text) < 60 for text in texts[1:])
    return Ratio(numbers, is_time=is_time and len(texts[0]) <= 2)


def _read_atom(tokens: Sequence[Token], read_inner: object) -> Kind | None:
    """Read infinity, a word, and a choice within a list."""
    text = written(tokens)
    sign = -1 if text.startswith("-") else 1
    if text.lstrip("+-").lstrip("\\") in ("∞", "Infinity", "oo", "inf", "infty", "infinity"):
        return Infinity(sign)
    if len(tokens) == 1 and tokens[0].kind == WORD:
        word = tokens[0].text
        return Boolean(BOOLEANS[word.lower()]) if word.lower() in BOOLEANS else Words(phrase(word))
    return None


def read_expression_kind(tokens: Sequence[Token]) -> Kind:
    """Read a number, quantity or expression."""
    if len(tokens) <= 2 and tokens[-1].kind == NUMBER and (len(tokens) == 1 or tokens[0].text in ("+", "-")):
        text = tokens[-1].text
        value = number_value(text)
        return Number(-value if tokens[0].text == "-" else value, decimal_digits(text))
    if any(token.text in ("^", "_") for token in tokens):
        shown = written(tokens)
        number = read_scientific(shown) or read_base(shown)
        if number is not None:
            return number
    quantity = read_quantity(tokens, read_expression_kind)
    if quantity is not None:
        return quantity
    return number_or_expression(read_expression(tokens))


def number_or_expression(value: Value) -> Number | Expression:
    return Number(value) if isinstance(value, Fraction) else Expression(value)


READERS: tuple[
    tuple[frozenset[str], Callable[[Sequence[Token], Callable[[Sequence[Token]], Kind]], Kind | None]], ...
] = (
    (SET_OPERATIONS, read_set_operation),  # each with the signs without which it has nothing to read
    (relations.OPERATORS, relations.read_relation),
    (frozenset(), read_bracketed),
    (frozenset({":", "to"}), _read_ratio),
    (frozenset(), _read_atom),
)
