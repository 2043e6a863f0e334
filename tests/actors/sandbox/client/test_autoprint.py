"""Test that a step that ends with a number prints it, and that nothing else changes."""

from __future__ import annotations

import ast
import itertools
import os
import random
import textwrap
from pathlib import Path

import pytest

from actors.sandbox.client.autoprint import MAX_CHARACTERS, add_autoprint, last_assigned_name
from actors.sandbox.client.executor import LocalExecutor
from actors.sandbox.config import ExecutorConfig
from search.data import Outcome, Problem, State, Step

PROBLEM = Problem(id="p", question="How many?", answer="2", source="t")


@pytest.mark.parametrize(
    ("code", "output"),
    [
        ("x = 1\nx = 150 / 4", "37.5\n"),
        ("x = 3\nx -= 10", "-7\n"),
        ("x = 600 / 2", "300\n"),
        ("print('so')\nx = 4", "so\n4\n"),
        ("x = 'word'", ""),
        ("x = list(range(10 ** 5))", ""),
        ("x = 10 ** 400", ""),
        ("print = 3", ""),
        ("x = True", "1\n"),
    ],
)
@pytest.mark.parametrize("evaluates", [True, False])
async def test_last_value_is_printed_when_it_is_a_number(code: str, output: str, evaluates: bool) -> None:
    async with LocalExecutor(ExecutorConfig(evaluate_arithmetic=evaluates)) as executor:
        (done,) = await executor.run(State(PROBLEM), [Step("s", code=code)])
    assert (done.outcome, done.output, done.code) == (Outcome.OK, output, code)


@pytest.mark.parametrize(
    "code",
    ["a, b = 1, 2", "a = b = 3", "a.b = 3", "if x:\n    y = 3", "x = = 3", "x: int = 3", "", "#" * 5000 + "\nx = 1"],
)
def test_code_is_unchanged_when_it_ends_otherwise(code: str) -> None:
    assert add_autoprint(code) == code


def name_by_python(code: str) -> str | None:
    """Return the name that the last statement assigns to, as Python's parser sees it; None where it refuses the code."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    match body[-1:]:
        case [ast.Assign(targets=[ast.Name(id=name)])] | [ast.AugAssign(target=ast.Name(id=name))]:
            return name
    return None


def refusal(code: str) -> tuple[str, int | None] | None:
    """Return Python's message about the code and its line; None where it compiles."""
    try:
        compile(code, "<step>", "exec")
    except (SyntaxError, ValueError) as error:
        return str(error.args[0]), getattr(error, "lineno", None)
    except (RecursionError, MemoryError):
        return "too deep", None
    return None


@pytest.mark.filterwarnings("ignore")
def test_last_name_is_that_of_the_parser() -> None:
    """Compared on the modules of the standard library, cut after any of their statements."""
    compared = 0
    for path in sorted(Path(os.__file__).parent.glob("*.py"))[::8]:
        source = path.read_text(encoding="utf-8", errors="replace")
        lines = source.split("\n")
        for block in ast.walk(ast.parse(source)):
            body = getattr(block, "body", None)
            for before, node in itertools.pairwise(body if isinstance(body, list) else []):
                code = textwrap.dedent("\n".join(lines[before.lineno - 1 : node.end_lineno]))
                if len(code) <= MAX_CHARACTERS and "lambda" not in code and refusal(code) is None:
                    assert last_assigned_name(code) == name_by_python(code), code
                    compared += 1
    assert compared > 2000


PIECES = [
    *"x=()[]{}'\";:+#\\\t\r\0@",
    "x = ",
    '"""',
    "\n",
    "\\\n",
    "\n  ",
    " if ",
    "==",
    "def f",
    "lambda x:",
    "else",
    "try:",
    "r'",
]


@pytest.mark.filterwarnings("ignore")
def test_refused_code_is_refused_alike_when_extended() -> None:
    rng = random.Random(3)
    for _ in range(20_000):
        code = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 12)))
        code += rng.choice(["", "\nx = 3", "\nx = (1 +\n2)", "\ntotal += 4 # c"])
        name = last_assigned_name(code)
        if name is not None:
            assert refusal(code) == refusal(add_autoprint(code)), code
            assert refusal(code) is not None or name == name_by_python(code), code


async def test_next_step_runs_after_an_autoprint() -> None:
    async with LocalExecutor(ExecutorConfig(evaluate_arithmetic=False)) as executor:
        (first,) = await executor.run(State(PROBLEM), [Step("s", code="x = [1, 2]\ny = len(x)")])
        (second,) = await executor.run(State(PROBLEM, (first,)), [Step("s", code="y = y * 2 + sum(x)")])
    assert (first.output, second.output) == ("2\n", "7\n")
