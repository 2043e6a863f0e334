r"""Read the numbers of an expression from its tokens: digit groups, mixed numbers, other bases, Python's imaginary numbers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NoReturn

from search.grading.reading.numerals import number_value, read_base
from search.grading.reading.tokens import LETTER, NAME, NUMBER, SIGN, Token, closing_index, written
from search.grading.values.forms import I, Value, atom_value, multiply

MAX_DEPTH = 60  # nested groups


class Unreadable(ValueError):
    """The tokens are no expression."""


class NumberParser:
    """A position in tokens. ``depth``: groups around them."""

    def __init__(self, tokens: Sequence[Token], depth: int) -> None:
        self.tokens = list(tokens)
        self.index = 0
        self.depth = depth
        self.bars = 0  # absolute values that are open
        if depth > MAX_DEPTH:
            self.fail()

    def fail(self) -> NoReturn:
        raise Unreadable(f"unexpected token {self.index} of {len(self.tokens)}")

    def front(self, ahead: int = 0) -> Token | None:
        return self.tokens[self.index + ahead] if self.index + ahead < len(self.tokens) else None

    def peek(self, ahead: int = 0) -> str:
        """Return the sign at the front, "" for another token or none."""
        token = self.front(ahead)
        return token.text if token is not None and token.kind == SIGN else ""

    def take(self, sign: str) -> bool:
        if self.peek() == sign:
            self.index += 1
            return True
        return False

    def group_tokens(self) -> list[Token]:
        """Return the tokens inside the brackets at the front, and go behind them."""
        end = closing_index(self.tokens, self.index)
        if end < 0:
            self.fail()
        inside = self.tokens[self.index + 1 : end]
        self.index = end + 1
        return inside

    def subscript(self) -> str:
        """Take a subscript; return it as text."""
        if self.peek() == "{":
            return written(self.group_tokens())
        token = self.front()
        if token is None:
            self.fail()
        self.index += 1
        return token.text

    def number(self) -> Value:
        first = self.tokens[self.index]
        text = first.text
        self.index += 1
        if self.peek() == "_":
            start = self.index
            self.index += 1
            base = read_base(f"{text}_{{{self.subscript()}}}")
            if base is None:
                self.index = start
                self.fail()
            return base.value
        if text.isdecimal():
            text += self.thousands(len(text))
            mixed = self.mixed() if text.isdecimal() else None
            if mixed is not None:
                return int(text) + mixed
        token = self.front()
        if (
            token is not None
            and token.kind == LETTER
            and token.text == "j"
            and not token.space
            and self.is_python_complex()
        ):
            self.index += 1
            return multiply(number_value(text), atom_value(I))
        return number_value(text)

    def is_python_complex(self) -> bool:
        return all(token.kind in (NUMBER, SIGN) or token.text == "j" for token in self.tokens)

    def thousands(self, length: int) -> str:
        """Take groups of three digits after spaces or commas; return their digits."""
        digits = ""
        while length <= 3:
            comma = self.peek() == ","
            group = self.front(int(comma))
            if group is None or group.kind != NUMBER or len(group.text.split(".")[0]) != 3 or group.space == comma:
                break
            if "(" in group.text or self.peek(1 + comma) == "/":
                break
            digits += group.text
            self.index += 1 + comma
            if not group.text.isdecimal():
                break
        return digits

    def mixed(self) -> Fraction | None:
        """Take the proper fraction of a mixed number: ``1 1/2``, ``1 (1/2)``, ``1\\frac{1}{2}``."""
        start, token = self.index, self.front()
        if token is None:
            return None
        parts: list[str] = []
        if token.kind == NAME and token.text == "frac":
            rest = [t.text for t in self.tokens[start + 1 : start + 7]]
            if len(rest) >= 6 and rest[0] == rest[3] == "{" and rest[2] == rest[5] == "}":
                parts, width = [rest[1], rest[4]], 7
            elif rest and len(rest[0]) == 2 and rest[0].isdecimal():
                parts, width = list(rest[0]), 2
            elif len(rest) >= 2 and rest[0].isdecimal() and rest[1].isdecimal() and len(rest[0]) == len(rest[1]) == 1:
                parts, width = rest[:2], 3
        elif token.space:
            braced = token.text == "("
            rest = [t.text for t in self.tokens[start + braced : start + braced + 4]]
            if len(rest) >= 3 and rest[1] == "/" and (not braced or (len(rest) == 4 and rest[3] == ")")):
                parts, width = [rest[0], rest[2]], 5 if braced else 3
        if len(parts) != 2 or not all(part.isdecimal() for part in parts) or not 0 < int(parts[0]) < int(parts[1]):
            return None
        self.index += width
        return Fraction(int(parts[0]), int(parts[1]))
