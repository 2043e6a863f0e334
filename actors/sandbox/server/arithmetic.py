"""Evaluate programs of pure arithmetic without running them: names, numbers, + - * / // %, and print.

Most steps that a model writes for a word problem are of this kind, and a fork costs a hundred times what they do. This
is a separate interpreter for that small part of Python. It never hands the text to Python's. It knows no function but
print, no attribute and no loop, and its numbers are bounded, so it ends and stays small on any input. The result is
None for whatever it does not know and whatever would raise: the program then runs as any other.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

MAX_CHARACTERS = 1000  # of a step
MAX_BITS = 1024  # of a whole number
MAX_STEPS = 64
PARSED_STEPS = 1024  # cached
FORMAT_SPEC = re.compile(r",?(\.[0-9])?[gfd]?")  # of a printed number: no width, which could be a gigabyte

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


class NotArithmetic(Exception):
    """The program does something that this interpreter does not know."""


def evaluate(codes: Sequence[str]) -> str | None:
    """Return what the last of the codes prints after the others; None where one of them is more than arithmetic.

    ``["a = 3 * 4", "print(a / 5)"]`` → ``"2.4\\n"``.
    """
    if len(codes) > MAX_STEPS:
        return None
    names: Names = {}
    printed: list[str] = []
    try:
        for code in codes:
            printed = [text for statement in parse(code) for text in execute(statement, names)]
    except (NotArithmetic, SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        return None
    return "".join(printed)


@lru_cache(PARSED_STEPS)
def parse(code: str) -> tuple[ast.stmt, ...]:
    if len(code) > MAX_CHARACTERS or not code.isascii():
        raise NotArithmetic
    return tuple(ast.parse(code).body)


def execute(statement: ast.stmt, names: Names) -> list[str]:
    """Execute one statement and return what it prints."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            names[check_assignable(name)] = evaluate_expression(value, names)
        case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
            # Python, too, reads the name before it evaluates the rest
            names[check_assignable(name)] = apply_operator(op, look_up(name, names), evaluate_expression(value, names))
        case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=arguments, keywords=[])):
            return [" ".join(format_argument(argument, names) for argument in arguments) + "\n"]
        case ast.Try(body=[body], handlers=[ast.ExceptHandler(type=None, body=[ast.Pass()])], orelse=[], finalbody=[]):
            return execute(body, names)  # where it raises, the whole program is not arithmetic
        case _:
            raise NotArithmetic
    return []


def check_assignable(name: str) -> str:
    if name == "print" or name.startswith("__"):
        raise NotArithmetic
    return name


def look_up(name: str, names: Names) -> Number:
    if name not in names:
        raise NotArithmetic
    return names[name]


def evaluate_expression(expression: ast.expr, names: Names) -> Number:
    match expression:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return check_size(value)
        case ast.Name(id=name):
            return look_up(name, names)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -evaluate_expression(operand, names)
        case ast.BinOp(left=left, op=op, right=right):
            return apply_operator(op, evaluate_expression(left, names), evaluate_expression(right, names))
    raise NotArithmetic


def apply_operator(op: ast.operator, left: Number, right: Number) -> Number:
    """Apply ``op``. Operands of MAX_BITS give at most twice as many bits, which ``check_size`` then refuses."""
    function = OPERATORS.get(type(op))
    if function is None:
        raise NotArithmetic
    return check_size(function(left, right))


def check_size(value: Number) -> Number:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise NotArithmetic
    return value


def format_argument(argument: ast.expr, names: Names) -> str:
    """Return an argument of print as text."""
    match argument:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(format_fstring_part(part, names) for part in parts)
    return str(evaluate_expression(argument, names))


def format_fstring_part(part: ast.expr, names: Names) -> str:
    match part:
        case ast.Constant(value=str() as text):
            return text
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return str(evaluate_expression(value, names))
        case ast.FormattedValue(
            value=value, conversion=-1, format_spec=ast.JoinedStr(values=[ast.Constant(value=str() as spec)])
        ) if FORMAT_SPEC.fullmatch(spec):
            return format(evaluate_expression(value, names), spec)
    raise NotArithmetic
