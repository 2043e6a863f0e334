"""Test that a step that ends with a number prints it, and that nothing else changes."""

from __future__ import annotations

import pytest

from actors.sandbox.client.autoprint import add_autoprint
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


async def test_next_step_runs_after_an_autoprint() -> None:
    async with LocalExecutor(ExecutorConfig(evaluate_arithmetic=False)) as executor:
        (first,) = await executor.run(State(PROBLEM), [Step("s", code="x = [1, 2]\ny = len(x)")])
        (second,) = await executor.run(State(PROBLEM, (first,)), [Step("s", code="y = y * 2 + sum(x)")])
    assert (first.output, second.output) == ("2\n", "7\n")
