"""Works out programs of nothing but sums, without running them: names, numbers, + - * / // %, and print.

Most steps that a model writes for a word problem are of this kind, and a fork costs a hundred times what they do. This
is an interpreter of its own for that small part of Python: it never hands the text to Python's, knows no function but
print, no attribute and no loop, and its numbers are bounded, so it ends and stays small whatever it is given. Whatever
it does not know, and whatever would raise, is None: the program is then run as any other.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

MOST_CHARACTERS = 1000  # of a step
MOST_BITS = 1024  # of a whole number
MOST_STEPS = 64
REMEMBERED = 1024  # parsed steps
SPEC = re.compile(r",?(\.[0-9])?[gfd]?")  # what a number is printed by: no width, which could be a gigabyte

Number = int | float
Names = dict[str, Number]
OPERATORS: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


class Unknown(Exception):
    """Something that is no sum."""


def work_out(codes: Sequence[str]) -> str | None:
    """What the last of the codes prints after the others have run; None where one of them is more than sums.

    ``["a = 3 * 4", "print(a / 5)"]`` → ``"2.4\\n"``.
    """
    if len(codes) > MOST_STEPS:
        return None
    names: Names = {}
    printed: list[str] = []
    try:
        for code in codes:
            printed = [text for statement in parsed(code) for text in carry_out(statement, names)]
    except (Unknown, SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        return None
    return "".join(printed)


@lru_cache(REMEMBERED)
def parsed(code: str) -> tuple[ast.stmt, ...]:
    if len(code) > MOST_CHARACTERS or not code.isascii():
        raise Unknown
    return tuple(ast.parse(code).body)


def carry_out(statement: ast.stmt, names: Names) -> list[str]:
    """Do one statement; what it prints."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            names[assignable(name)] = number(value, names)
        case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
            # Python, too, reads the name before it works out the rest
            names[assignable(name)] = apply(op, read(name, names), number(value, names))
        case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=arguments, keywords=[])):
            return [" ".join(shown(argument, names) for argument in arguments) + "\n"]
        case ast.Try(body=[said], handlers=[ast.ExceptHandler(type=None, body=[ast.Pass()])], orelse=[], finalbody=[]):
            return carry_out(said, names)  # where it raises, the whole program is no sum
        case _:
            raise Unknown
    return []


def assignable(name: str) -> str:
    if name == "print" or name.startswith("__"):
        raise Unknown
    return name


def read(name: str, names: Names) -> Number:
    if name not in names:
        raise Unknown
    return names[name]


def number(expression: ast.expr, names: Names) -> Number:
    """The value of an expression."""
    match expression:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return bounded(value)
        case ast.Name(id=name):
            return read(name, names)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -number(operand, names)
        case ast.BinOp(left=left, op=op, right=right):
            return apply(op, number(left, names), number(right, names))
    raise Unknown


def apply(op: ast.operator, left: Number, right: Number) -> Number:
    """Numbers of at most MOST_BITS each make one of twice as many at most, which is then refused."""
    known = OPERATORS.get(type(op))
    if known is None:
        raise Unknown
    return bounded(known(left, right))


def bounded(value: Number) -> Number:
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise Unknown
    return value


def shown(argument: ast.expr, names: Names) -> str:
    """What print makes of one of its arguments."""
    match argument:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(formatted(part, names) for part in parts)
    return str(number(argument, names))


def formatted(part: ast.expr, names: Names) -> str:
    """A piece of an f-string."""
    match part:
        case ast.Constant(value=str() as text):
            return text
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return str(number(value, names))
        case ast.FormattedValue(
            value=value, conversion=-1, format_spec=ast.JoinedStr(values=[ast.Constant(value=str() as spec)])
        ) if SPEC.fullmatch(spec):
            return format(number(value, names), spec)
    raise Unknown
