"""Code and output that are no text."""

from __future__ import annotations

import pytest

from actors.sandbox.client.executor import LocalExecutor
from search.data import Outcome
from tests.actors.sandbox.escape.attempts import attempt

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    "code",
    [
        "\0",
        "print(1)\0",
        "\ud800",
        "# \udfff",
        "x = 1" * 2_000_000,
        "(" * 5000,
        "x = " + "-" * 60_000 + "1",
        "\x1a\x0c",
    ],
)
async def test_code_that_is_not_text_has_an_outcome(executor: LocalExecutor, code: str) -> None:
    result = await attempt(executor, code)
    assert result.outcome in (Outcome.SYNTAX_ERROR, Outcome.CRASHED, Outcome.OUT_OF_MEMORY, Outcome.OK)
    assert len(result.output) <= 200


async def test_output_that_is_not_text_is_bounded(executor: LocalExecutor) -> None:
    assert (await attempt(executor, "print('\\0', '\\ud800')")).output == "\0 ?\n"
    raising = "class E(Exception):\n  def __str__(self): raise self\nraise E"
    assert (await attempt(executor, raising)).output == "E (line 3: raise E)"
    lying = "class E(Exception):\n  def __str__(self): return 'a\\nb' * 10 ** 6 + '\\ud800'\nraise E"
    result = await attempt(executor, lying)
    assert len(result.output) <= 200 and "\n" not in result.output
