"""Read programs of pure arithmetic into statements, without Python's parser, in linear time and without recursion."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from keyword import iskeyword

MAX_CHARACTERS = 1000  # of a step
MAX_BITS = 1024  # of a whole number
MAX_PENDING = 64  # operators and parentheses that are open at once in an expression
PARSED_STEPS = 1024  # cached

PLAIN_TEXT = re.compile(rf"[ -~\n]{{0,{MAX_CHARACTERS}}}")
BLANK_LINE = re.compile(r" *(?:#.*)?")
GUARD, GUARDED, HANDLER, PASS = (re.compile(text) for text in (r"try: *", r" +([^ #].*)", r"except: *", r" +pass *"))
ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*) *(//|[-+*/%])?=(?!=)")
PRINT = re.compile(r"print *\(")
DIGITS = r"[0-9](?:_?[0-9])*"
FLOAT = rf"(?:{DIGITS}\.(?:{DIGITS})?|\.{DIGITS})(?:[eE][-+]?{DIGITS})?|{DIGITS}[eE][-+]?{DIGITS}"
TOKEN = re.compile(
    rf" *(?:(?P<float>(?:{FLOAT})(?![\w.]))|(?P<int>(?:0+|[1-9](?:_?[0-9])*)(?![\w.]))|(?P<fstring>[fF](?=[\"']))"
    r"""|(?P<name>[A-Za-z_]\w*)|(?P<string>"[^"\\]*"|'[^'\\]*')|(?P<operator>//|[-+*/%(),])|(?P<end>(?:\#.*)?$))""",
    re.ASCII,
)
FSTRING_PART = re.compile(r"(?P<text>[^{}]+|\{\{|\}\})|\{(?P<value>[^{}:!=]+)(?::(?P<spec>[^{}]*))?\}")
FORMAT_SPEC = re.compile(r",?(\.[0-9])?[gfd]?")  # of a printed number: no width, which could be a gigabyte

Number = int | float
BinaryOperator = Callable[[Number, Number], Number]
Instruction = Number | str | BinaryOperator | None  # push a number, push a name's, apply an operator; None: negate
Expression = tuple[Instruction, ...]  # postfix
OPERATORS: dict[str, BinaryOperator] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
NEGATE = "negate"
PRECEDENCE = {"(": 0, "+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, NEGATE: 3}


class NotArithmetic(Exception):
    """The program does something that this interpreter does not know."""


@dataclass(frozen=True, slots=True)
class FormattedNumber:
    """A number that is printed, and its format."""

    value: Expression
    spec: str


Argument = tuple[str | FormattedNumber, ...]  # of print: the parts of its text


@dataclass(frozen=True, slots=True)
class Assignment:
    """``name = value``."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Print:
    """``print(…)``."""

    arguments: tuple[Argument, ...]


Statement = Assignment | Print


@lru_cache(PARSED_STEPS)
def parse(code: str) -> tuple[Statement, ...] | None:
    """Return the statements of a step; None where it is more than arithmetic."""
    if PLAIN_TEXT.fullmatch(code) is None:
        return None
    lines = [line for line in code.split("\n") if not BLANK_LINE.fullmatch(line)]
    try:
        return tuple(parse_statement(line) for line in unguard(lines))
    except NotArithmetic:
        return None


def unguard(lines: list[str]) -> list[str]:
    """Return the lines with each ``try: … except: pass`` around one line taken away.

    Where such a line raises, the whole program is not arithmetic.
    """
    unguarded = []
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        if GUARD.fullmatch(line):
            block = lines[position : position + 3]
            if len(block) < 3 or not (HANDLER.fullmatch(block[1]) and PASS.fullmatch(block[2])):
                raise NotArithmetic
            body = GUARDED.fullmatch(block[0])
            if body is None:
                raise NotArithmetic
            line = body[1]
            position += 3
        unguarded.append(line)
    return unguarded


def parse_statement(line: str) -> Statement:
    head = PRINT.match(line)
    if head is not None:
        return Print(parse_arguments(Reader(line, head.end())))
    head = ASSIGNMENT.match(line)
    if head is None:
        raise NotArithmetic
    name, augmenting = head.groups()
    if name == "print" or name.startswith("__") or iskeyword(name):
        raise NotArithmetic
    reader = Reader(line, head.end())
    value = parse_expression(reader)
    if reader.kind != "end":
        raise NotArithmetic
    # Python, too, reads the name before it evaluates the rest
    return Assignment(name, (name, *value, OPERATORS[augmenting]) if augmenting else value)


class Reader:
    """The tokens of a line, the current one in ``kind`` and ``text``."""

    def __init__(self, line: str, position: int) -> None:
        self.line = line
        self.position = position
        self.kind = self.text = ""
        self.advance()

    def advance(self) -> None:
        """Go on to the next token. Raise NotArithmetic where there is none."""
        match = TOKEN.match(self.line, self.position)
        if match is None or match.lastgroup is None:
            raise NotArithmetic
        self.kind, self.position = match.lastgroup, match.end()
        self.text = match[self.kind]


def parse_arguments(reader: Reader) -> tuple[Argument, ...]:
    """Parse what follows ``print(``, up to the end of the line."""
    arguments: list[Argument] = []
    while reader.text != ")":
        arguments.append(parse_argument(reader))
        if reader.text == ",":
            reader.advance()
        elif reader.text != ")":
            raise NotArithmetic
    reader.advance()
    if reader.kind != "end":
        raise NotArithmetic
    return tuple(arguments)


def parse_argument(reader: Reader) -> Argument:
    if reader.kind not in ("fstring", "string"):
        return (FormattedNumber(parse_expression(reader), ""),)
    is_formatted = reader.kind == "fstring"
    if is_formatted:
        reader.advance()
        if reader.kind != "string":
            raise NotArithmetic
    text = reader.text[1:-1]
    reader.advance()
    return parse_fstring(text) if is_formatted else (text,)


def parse_fstring(text: str) -> Argument:
    """Return the parts of an f-string's text."""
    parts: list[str | FormattedNumber] = []
    position = 0
    while position < len(text):
        match = FSTRING_PART.match(text, position)
        if match is None:
            raise NotArithmetic
        position = match.end()
        if match["text"] is not None:
            parts.append(match["text"][:1] if match["text"] in ("{{", "}}") else match["text"])
            continue
        if "#" in match["value"] or FORMAT_SPEC.fullmatch(match["spec"] or "") is None:
            raise NotArithmetic
        reader = Reader(match["value"], 0)
        parts.append(FormattedNumber(parse_expression(reader), match["spec"] or ""))
        if reader.kind != "end":
            raise NotArithmetic
    return tuple(parts)


def parse_expression(reader: Reader) -> Expression:
    """Parse the longest expression at the reader into postfix order (Dijkstra's shunting yard)."""
    output: list[Instruction] = []
    pending: list[str] = []

    def apply_pending(precedence: int) -> None:
        while pending and PRECEDENCE[pending[-1]] >= precedence:
            name = pending.pop()
            output.append(None if name == NEGATE else OPERATORS[name])

    while True:
        while reader.text in ("-", "("):  # before an operand
            pending.append("(" if reader.text == "(" else NEGATE)
            if len(pending) > MAX_PENDING:
                raise NotArithmetic
            reader.advance()
        output.append(parse_operand(reader))
        while reader.text == ")" and "(" in pending:  # after an operand
            apply_pending(1)
            pending.pop()
            reader.advance()
        if reader.text not in OPERATORS:
            break
        apply_pending(PRECEDENCE[reader.text])
        pending.append(reader.text)
        reader.advance()
    if "(" in pending:
        raise NotArithmetic
    apply_pending(1)
    return tuple(output)


def parse_operand(reader: Reader) -> Number | str:
    """Return the number or the name at the reader. Keywords are never names that have a value."""
    kind, text = reader.kind, reader.text
    if kind not in ("int", "float", "name"):
        raise NotArithmetic
    reader.advance()
    return check_size(int(text)) if kind == "int" else float(text) if kind == "float" else text


def check_size(value: Number) -> Number:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise NotArithmetic
    return value
