"""Test what a step gets back: text that cannot be encoded, long integers, exits, input, the line of an error, warnings."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from actors.sandbox.client.executor import LocalExecutor
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import Tier
from search.data import Outcome

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIG = ExecutorConfig(
    concurrency=2, cpu_seconds=2, memory_mib=128, required_tier=Tier.NONE, heavy_modules=(), output_bytes=40_000
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def executor() -> AsyncIterator[LocalExecutor]:
    async with LocalExecutor(CONFIG) as local:
        yield local
        assert local.server.restarts == 0


@pytest.mark.parametrize(
    ("code", "output"),
    [
        (r'print("\ud83d")', "?\n"),
        (r'print("a\udfff\ud800b", "\U0001f600")', "a??b \U0001f600\n"),
        (r'print(f"{1:g} \ud83d")', "1 ?\n"),
        (r'import sys; _ = sys.stdout.buffer.write(b"a\xff\xed\xa0\xbdb")', "a����b"),
        (r'import sys; _ = sys.stdout.write("\udc80")', "?"),
    ],
)
async def test_output_is_ok_when_it_holds_half_surrogates(executor: LocalExecutor, code: str, output: str) -> None:
    result = await executor.run_code((), code)
    assert (result.outcome, result.output) == (Outcome.OK, output)


async def test_error_has_an_outcome_when_it_holds_surrogates(executor: LocalExecutor) -> None:
    result = await executor.run_code((), r'raise ValueError("\ud83d")')
    assert (result.outcome, result.output.split(" (")[0]) == (Outcome.EXCEPTION, "ValueError: ?")
    assert (await executor.run_code((), 'x = "\ud83d"')).outcome is Outcome.SYNTAX_ERROR


async def test_integer_beyond_4300_digits_is_printed(executor: LocalExecutor) -> None:
    assert (await executor.run_code((), "print(10 ** 5000)")).output == "1" + "0" * 5000 + "\n"
    assert (await executor.run_code(("x = int('7' * 20_000)",), "print(str(x + 1)[-3:])")).output == "778\n"


@pytest.mark.parametrize("end", ["exit()", "quit()", "exit(0)", "import sys; sys.exit(0)", "raise SystemExit"])
async def test_step_is_ok_when_it_exits_with_success(executor: LocalExecutor, end: str) -> None:
    result = await executor.run_code((), f"x = 5\nprint(x)\n{end}\nprint('never')")
    assert (result.outcome, result.output) == (Outcome.OK, "5\n")
    assert (await executor.run_code((f"x = 5\n{end}",), "print(x + 1)")).output == "6\n"


@pytest.mark.parametrize(
    ("end", "line"),
    [
        ("exit(3)", "SystemExit: 3"),
        ("import sys; sys.exit('no')", "SystemExit: no"),
        ("quit(True)", "SystemExit: True"),
    ],
)
async def test_step_fails_when_it_exits_with_a_code(executor: LocalExecutor, end: str, line: str) -> None:
    result = await executor.run_code((), f"print(5)\n{end}")
    assert (result.outcome, result.output) == (Outcome.EXCEPTION, line)


async def test_input_says_at_once_that_there_is_none(executor: LocalExecutor) -> None:
    result = await executor.run_code((), "n = int(input('How many? '))")
    line = "EOFError: there is no input (line 1: n = int(input('How many? ')))"
    assert (result.outcome, result.output) == (Outcome.EXCEPTION, line)
    caught = "try:\n    n = input('n? ')\nexcept EOFError:\n    n = 2\nprint(n)"
    assert (await executor.run_code((), caught)).output == "n? 2\n"


@pytest.mark.parametrize(
    ("prefix", "code", "line"),
    [
        ((), "x = 3\n\ny = x / 0  # so", "ZeroDivisionError: division by zero (line 3: y = x / 0 # so)"),
        (
            (),
            "def f(n):\n    return [][n]\n\nprint(f(2))",
            "IndexError: list index out of range (line 2: return [][n])",
        ),
        ((), "import json\njson.loads('{')", None),
        (("def f(n):\n    return n.x",), "f(2)", "(earlier step, line 2: return n.x)"),
        (("x = 1",), "x = = 2", "SyntaxError: invalid syntax (line 1: x = = 2)"),
        ((), "x = 1\r\nraise KeyError(x)", "KeyError: 1 (line 2: raise KeyError(x))"),
        ((), "raise ValueError('a' * 999)", "(line 1: raise ValueError('a' * 999))"),
        ((), "x = [" + "1, " * 99 + "][1000]", "…)"),
        ((), "exec('1 / 0')", "ZeroDivisionError: division by zero (line 1: exec('1 / 0'))"),
    ],
)
async def test_error_shows_the_line_of_the_model(
    executor: LocalExecutor, prefix: tuple[str, ...], code: str, line: str | None
) -> None:
    result = await executor.run_code(prefix, code)
    assert result.outcome in (Outcome.EXCEPTION, Outcome.SYNTAX_ERROR)
    assert result.output.endswith(line or "(line 2: json.loads('{'))")
    assert len(result.output) <= 200


async def test_printed_traceback_shows_the_lines_of_the_model(executor: LocalExecutor) -> None:
    code = "import traceback\ntry:\n    f(0)\nexcept ZeroDivisionError:\n    print(traceback.format_exc())"
    result = await executor.run_code(("def f(n):\n    return 1 / n",), code)
    assert 'File "<step 2>", line 3, in <module>\n    f(0)\n' in result.output
    assert 'File "<step 1>", line 2, in f\n    return 1 / n\n' in result.output


@pytest.mark.parametrize(
    "hostile",
    [
        "class M(type):\n  def __getattribute__(c, n): raise OSError\nclass E(Exception, metaclass=M): pass\nraise E",
        "class E(SystemExit):\n  code = property(lambda e: 1 / 0)\nraise E",
        "class I(int):\n  def __int__(i): raise KeyError\nraise SystemExit(I(0))",
        "class E(Exception):\n  __module__ = property(lambda e: 1 / 0)\n  def __str__(e): raise SystemExit\nraise E",
        "import linecache\nlinecache.cache = None\n1 / 0",
    ],
)
async def test_error_has_an_outcome_when_its_class_lies(executor: LocalExecutor, hostile: str) -> None:
    assert (await executor.run_code((), hostile)).outcome in (Outcome.EXCEPTION, Outcome.CRASHED)


@pytest.mark.parametrize(
    "code",
    ["x = 1\nif x is 1: pass\nprint(x)", "x = '\\d'\nprint(1)", "import warnings; warnings.warn('no'); print(1)",
     "assert (1, 'always'); print(1)", "import sys; sys.stderr.write('no'); print(1)", "print(1if 2else 3)"],
)  # fmt: skip
async def test_warnings_change_nothing(executor: LocalExecutor, code: str) -> None:
    result = await executor.run_code((), code)
    assert (result.outcome, result.output) == (Outcome.OK, "1\n")
