"""Make programs at random that are arithmetic, nearly arithmetic, or built to do harm; and run them by Python."""

from __future__ import annotations

import contextlib
import io
import random

from actors.sandbox.client.autoprint import PRINT_NUMBER

NAMES = ("a", "b", "total", "_x1", "match")
OPERATORS = ("+", "-", "*", "/", "//", "%")
SPECS = ("", "", ":g", ":.2f", ":d", ":,", ":,.3g", ":.0f", ":.9f", ":e", ":5", ":", ":.2d")
PIECES = (
    *'()+-*/%=,.:;!#_{}[]<>~@^|&"\\' + "'" + "\n\t\r\0 09azEe",
    "**", "//", "==", "<=", "not ", " and ", " if ", " else ", "lambda:", "print", "print(", "f'", 'f"', '"""', "'''",
    "\\\n", "\n  ", "try:\n  ", "\nexcept:\n  pass\n", "1e", "0x", "1_", "999999999999999999", "1e308", ".5", "é", "½", "\ud83d",
    "__", "import os", "True", "a.b", "a[0]", "{a:", "{{", "}}", "{a", "#x\n", "9" * 320, "\u2028", "\x0c", "\ufeff",
)  # fmt: skip


def run_by_python(codes: list[str]) -> str | None:
    """Return what the last code prints, or None where one of them raises."""
    names: dict[str, object] = {}
    for code in codes:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            try:
                exec(code, names)
            except Exception:  # noqa: BLE001 - whatever it raises
                return None
    return printed.getvalue()


def random_number(rng: random.Random) -> str:
    kinds = [
        str(rng.randrange(100)),
        str(rng.randrange(10 ** rng.randrange(1, 60))),
        repr(rng.uniform(0, 10**6)),
        f"{rng.randrange(1000)}.{rng.randrange(100):02d}",
        f"{rng.random()}e{rng.randrange(-330, 330)}",
        f"{rng.randrange(1, 999)}_{rng.randrange(1000):03d}",
        rng.choice(("0", "00", "1.", ".5", "1e3", "2E-2", "1e999")),
    ]
    return rng.choice(kinds)


def random_expression(rng: random.Random, depth: int = 3) -> str:
    kind = rng.randrange(8) if depth else rng.randrange(2)
    if kind == 0:
        return random_number(rng)
    if kind == 1:
        return rng.choice(NAMES)
    if kind == 2:
        return f"({random_expression(rng, depth - 1)})"
    if kind == 3:
        return f"-{random_expression(rng, depth - 1)}"
    space = rng.choice(("", " ", "  "))
    left, right = random_expression(rng, depth - 1), random_expression(rng, depth - 1)
    return f"{left}{space}{rng.choice(OPERATORS)}{space}{right}"


def random_argument(rng: random.Random) -> str:
    kind = rng.randrange(4)
    quote = rng.choice("\"'")
    if kind == 0:
        return quote + rng.choice(("", "the total:", "50 % # of it", "{x}")) + quote
    if kind == 1:
        fields = "".join(
            f"{{{random_expression(rng, 1)}{rng.choice(SPECS)}}} {{{{}}}}, " for _ in range(rng.randrange(3))
        )
        return f"{rng.choice('fF')}{quote}is {fields}{quote}"
    return random_expression(rng)


def random_statement(rng: random.Random) -> str:
    kind = rng.randrange(7)
    if kind < 3:
        return f"{rng.choice(NAMES)} {rng.choice(('', '', *OPERATORS))}= {random_expression(rng)}"
    if kind == 3:
        return f"print({', '.join(random_argument(rng) for _ in range(rng.randrange(4)))})"
    if kind == 4:
        return rng.choice(("# so", "", "   # then", "a=1", "b =2 # two"))
    return PRINT_NUMBER.format(name=rng.choice(NAMES)) if kind == 5 else f"{rng.choice(NAMES)} = {random_number(rng)}"


def random_program(rng: random.Random) -> list[str]:
    """Return the codes of a program; three in ten are changed at random places, so that few of them are arithmetic."""
    first = "\n".join(f"{name} = {random_number(rng)}" for name in NAMES)
    codes = [
        first,
        *("\n".join(random_statement(rng) for _ in range(rng.randint(1, 4))) for _ in range(rng.randrange(1, 4))),
    ]
    if rng.random() < 0.3:
        for _ in range(rng.randint(1, 3)):
            number = rng.randrange(len(codes))
            start = rng.randrange(len(codes[number]) + 1)
            end = start + rng.choice((0, 0, 1, 2))
            codes[number] = codes[number][:start] + rng.choice(PIECES) + codes[number][end:]
    return codes


def hostile_codes() -> list[str]:
    """Return texts that are deep, long, large or no text at all."""
    sizes = (10, 64, 65, 200, 490, 990, 5000, 10**6)
    units = [
        *"(){_. \t\0#['\"9,\r\n",
        "(-",
        "{{",
        "f'{",
        "print(",
        "1+",
        "1/",
        "1<",
        "2**",
        "1_",
        "1.",
        "1e",
        '"""',
        "\\\n",
    ]
    units += ["a=", "a ", "try:\n", "lambda:", "not ", "é", "\ud83d", "\ufeff"]
    codes = [head + unit * size + tail for unit in units for size in sizes for head, tail in (("", ""), ("a = ", "1"))]
    codes += [f"print(f'{unit * size}')" for unit in units for size in sizes]
    codes += ["a = " + "(" * size + "1" + ")" * size for size in sizes]
    codes += ["print(" + "'a'," * size + ")" for size in sizes]
    codes += ["a = 1\n" * size + "print(a)" for size in sizes]
    return codes


def costly_program() -> list[str]:
    """Return as much work as fits into the bounds: 64 steps of 1,000 characters on numbers of 1,024 bits."""
    large = "9" * 308
    codes = [f"a = {large}\nb = {large[:-1]}"]
    fold = "c=" + "+".join(["a//b"] * 190)
    shown = "print(" + "a," * 53 + ")"  # 53 numbers of 308 digits: 16,377 characters
    return codes + [fold, shown] * 31 + [shown]
