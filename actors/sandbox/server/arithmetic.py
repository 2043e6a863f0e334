"""Evaluate programs of pure arithmetic without running them: names, numbers, + - * / // %, and print.

Most steps that a model writes for a word problem are of this kind, and a fork costs a hundred times what they do. This is
a separate interpreter for that small part of Python. It knows no function but print, no attribute and no loop. The
result is None for whatever it does not know and whatever would raise: the program then runs as any other.

It stays in the fork server because it is total and bounded, which ``server/test_arithmetic.py`` checks against Python
on 100,000 programs. Moving it out costs more than it protects: a confined process that evaluated for the fork server
would triple the time of a request (60 to 180 us), and whoever broke into it could answer for every other program. A
fork for each program takes a hundred times as long.

The text never reaches Python's parser. A step has at most MAX_CHARACTERS, printable ASCII only; each regular expression
takes time in proportion to what it reads (``arithmetic_syntax.py``). Expressions are postfix lists: nothing recurses. A
step has fewer instructions than characters, a whole number at most MAX_BITS, and a step prints at most ``max_bytes``.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.sandbox.server.arithmetic_syntax import (
    Argument,
    Assignment,
    Expression,
    NotArithmetic,
    Number,
    Statement,
    check_size,
    parse,
)

MAX_STEPS = 64
MAX_OUTPUT_BYTES = 1 << 14

Names = dict[str, Number]


def evaluate(codes: Sequence[str], max_bytes: int = MAX_OUTPUT_BYTES) -> str | None:
    """Return what the last of the codes prints after the others; None where one of them is more than arithmetic.

    ``["a = 3 * 4", "print(a / 5)"]`` → ``"2.4\\n"``. Also None where a code prints more than ``max_bytes``. Raise
    nothing, whatever the codes are.
    """
    if len(codes) > MAX_STEPS:
        return None
    names: Names = {}
    printed = ""
    try:
        for code in codes:
            statements = parse(code)
            if statements is None:
                return None
            printed = execute(statements, names, max_bytes)
    except (NotArithmetic, ValueError, ArithmeticError):
        return None
    return printed


def execute(statements: tuple[Statement, ...], names: Names, max_bytes: int) -> str:
    """Execute the statements of one step and return what they print."""
    lines: list[str] = []
    size = 0
    for statement in statements:
        if isinstance(statement, Assignment):
            names[statement.name] = compute(statement.value, names)
            continue
        lines.append(" ".join([format_argument(argument, names) for argument in statement.arguments]) + "\n")
        size += len(lines[-1])
        if size > max_bytes:
            raise NotArithmetic
    return "".join(lines)


def compute(expression: Expression, names: Names) -> Number:
    """Return the value of a postfix expression, which the parser has made well-formed.

    Operands of MAX_BITS give at most twice as many bits, which ``check_size`` then refuses.
    """
    stack: list[Number] = []
    for item in expression:
        if isinstance(item, (int, float)):
            stack.append(item)
        elif isinstance(item, str):
            if item not in names:
                raise NotArithmetic
            stack.append(names[item])
        elif item is None:
            stack.append(-stack.pop())
        else:
            right = stack.pop()
            stack.append(check_size(item(stack.pop(), right)))
    return stack.pop()


def format_argument(argument: Argument, names: Names) -> str:
    """Return an argument of print as text."""
    return "".join(
        [part if isinstance(part, str) else format(compute(part.value, names), part.spec) for part in argument]
    )
