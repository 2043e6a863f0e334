"""Split a cleaned answer into tokens: numbers, letters, words, names and signs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from search.grading.reading.cleaning import CLOSE_SET, GREEK, MATH, OPEN_SET, ROMAN
from search.grading.reading.units import SINGLE_LETTERS, is_unit_word

NUMBER, LETTER, WORD, NAME, SIGN, BEGIN, END = "number", "letter", "word", "name", "sign", "begin", "end"

FUNCTIONS = frozenset(
    [
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "arcsin",
        "arccos",
        "arctan",
        "arccot",
        "sinh",
        "cosh",
        "tanh",
        "coth",
        "asin",
        "acos",
        "atan",
        "arsinh",
        "arcosh",
        "artanh",
        "asinh",
        "acosh",
        "atanh",
        "log",
        "ln",
        "lg",
        "exp",
        "sqrt",
        "cbrt",
        "root",
        "abs",
        "floor",
        "ceil",
        "ceiling",
        "factorial",
        "binomial",
        "comb",
        "gcd",
        "lcm",
        "max",
        "min",
        "det",
        "sgn",
        "sign",
        "arg",
        "deg",
        "re",
        "im",
        "Re",
        "Im",
        "Gamma",
        "gamma_function",
        "mod",
    ]
)
CONSTANTS = frozenset(["Infinity", "oo", "inf", "infty", "infinity", "pi"])
PYTHON = frozenset(
    [
        "Matrix",
        "ImmutableMatrix",
        "MutableDenseMatrix",
        "ImmutableDenseMatrix",
        "array",
        "tensor",
        "matrix",
        "Interval",
        "Union",
        "Intersection",
        "Complement",
        "FiniteSet",
        "EmptySet",
        "Fraction",
        "Rational",
        "Integer",
        "Float",
        "Decimal",
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
        "set",
        "frozenset",
        "list",
        "tuple",
        "Eq",
        "Abs",
        "Pow",
        "Point",
        "Point2D",
        "Point3D",
        "Tuple",
        "Reals",
        "str",
        "bool_",
        "longdouble",
        "uint8",
        "uint32",
        "uint64",
    ]
)
LETTER_NAMES = frozenset(GREEK) | {name.capitalize() for name in GREEK}
NAMES = FUNCTIONS | CONSTANTS | PYTHON | LETTER_NAMES
PLAIN_NAMES = NAMES - {
    "mu",
    "nu",
    "xi",
    "eta",
    "chi",
    "psi",
    "tau",
    "rho",
    "deg",
    "re",
    "im",
    "arg",
    "sign",
    "Re",
    "Im",
    "lg",
    "mod",
}
APPLIED = re.compile("(sin|cos|tan|cot|sec|csc|ln|log)([a-z])")
CONJUNCTIONS = frozenset({"and", "or"})
VOWEL = re.compile("[aeiouAEIOU]")
USUAL_VARIABLES = frozenset("xyzwtuv")

TOKEN = re.compile(
    r"(?P<space>\s+)|\\begin\s*\{\s*(?P<begin>\w+)\*?\s*\}(?:\s*\{[lcr| ]*\})?|\\end\s*\{\s*(?P<end>\w+)\*?\s*\}"
    r"|(?P<number>\d*\.\d*\(\d+\)|0[xbo][0-9a-fA-F]+(?![\w.])|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4}(?![\w.]))?)"
    r"|\\\s*(?P<command>[A-Za-z]+)|(?P<letters>[^\W\d_]+)|(?P<sign>.)",
    re.DOTALL,
)
OPENING = frozenset(["(", "[", "{", OPEN_SET])
CLOSING = frozenset([")", "]", "}", CLOSE_SET])


class Token(NamedTuple):
    """A token. ``space``: white space stands before it. ``roman``: it is upright text."""

    kind: str
    text: str
    space: bool = False
    roman: bool = False


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a cleaned answer."""
    tokens: list[Token] = []
    space, roman = False, 0
    for result in TOKEN.finditer(text):
        group, value = result.lastgroup, result[result.lastgroup or 0]
        if group == "space":
            space = True
            continue
        if value in (ROMAN, MATH):
            roman = roman + 1 if value == ROMAN else max(0, roman - 1)
            continue
        if group == "letters":
            tokens += _letters(value, tokens, space, roman > 0)
        elif group == "command":
            tokens.append(Token(NAME, value, space, roman > 0))
        else:
            tokens.append(Token(str(group), value, space, roman > 0))
        space = False
    return tokens


def _letters(run: str, before: Sequence[Token], space: bool, roman: bool) -> list[Token]:
    """Return a run of letters as a name, a word, or the factors of a product."""
    last = before[-1] if before else None
    if len(run) == 1:
        return [Token(LETTER if run.isascii() else WORD, run, space, roman)]
    applied = APPLIED.fullmatch(run)
    if applied is not None and not roman:
        return [*_letters(applied[1], before, space, roman), Token(LETTER, applied[2], True)]
    is_unit = run in ("min", "sec", "deg") and last is not None and (last.kind == NUMBER or last.text in (")", "}"))
    if (
        run in PLAIN_NAMES
        and not is_unit
        and not (last is not None and last.kind == WORD and last.text.lower() not in CONJUNCTIONS)
    ):
        return [Token(NAME, "plain_log" if run == "log" and not roman else run, space, roman)]
    if roman or run == "to" or run.lower() in CONJUNCTIONS or not run.isascii():
        return [Token(WORD, run, space, roman)]
    is_below = last is not None and last.text == "/" and len(before) > 1 and before[-2].text in SINGLE_LETTERS
    if (
        last is not None
        and is_unit_word(run)
        and (last.kind == WORD or is_below or (space and last.text in (")", "}")))
    ):
        return [Token(WORD, run, space, roman)]
    after_number = last is not None and last.kind == NUMBER
    if after_number and (is_unit_word(run) or run == "US" or (space and len(run) >= 3) or len(run) > 4):
        return [Token(WORD, run, space, roman)]
    follows_group = last is not None and last.text in (")", "}") and not space and len(run) <= 3
    if not after_number and not follows_group and is_word_like(run):
        return [Token(WORD, run, space, roman)]
    return [Token(LETTER, letter, space and i == 0, roman) for i, letter in enumerate(run)]


def is_word_like(run: str) -> bool:
    """Return whether letters look like a word rather than a product: ``sum``, ``AB``, ``Ed``, ``sky``, not ``xyz``, ``ab``."""
    letters, length = set(run), len(run)
    if run.isupper() or run.istitle() or run == "pm":
        return True
    if letters <= USUAL_VARIABLES or (length == 2 and letters <= set("abcd")) or (length <= 3 and letters & set("xz")):
        return False
    ends_in_y = length > 2 and run[-1] == "y"
    return length > 4 or VOWEL.search(run) is not None or ends_in_y or (length == 4 and "y" in run)


def split(tokens: Sequence[Token], signs: frozenset[str]) -> list[list[Token]]:
    """Split at signs outside brackets."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += change_of_depth(token)
        if depth <= 0 and token.kind == SIGN and token.text in signs:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def change_of_depth(token: Token) -> int:
    if token.kind == SIGN:
        return 1 if token.text in OPENING else -1 if token.text in CLOSING else 0
    return 1 if token.kind == BEGIN else -1 if token.kind == END else 0


def closing_index(tokens: Sequence[Token], start: int) -> int:
    """Return the index of the bracket that closes the one at ``start``; -1 if none does."""
    depth = 0
    for index in range(start, len(tokens)):
        depth += change_of_depth(tokens[index])
        if depth == 0:
            return index
    return -1


def written(tokens: Sequence[Token]) -> str:
    """Return tokens as text, with a space only between letters or digits that would otherwise run together."""
    parts: list[str] = []
    for i, token in enumerate(tokens):
        if token.space and i and (token.text[:1].isalnum() and tokens[i - 1].text[-1:].isalnum()):
            parts.append(" ")
        parts.append("\\" + token.text if token.kind == NAME and len(token.text) > 1 else token.text)
    return "".join(parts)
