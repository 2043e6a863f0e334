"""Test programs that are evaluated without being run: the output is Python's, or there is none."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.sandbox.client.autoprint import add_autoprint
from actors.sandbox.client.executor import LocalExecutor
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import Tier
from actors.sandbox.server.arithmetic import MAX_OUTPUT_BYTES, MAX_STEPS, evaluate
from actors.sandbox.server.arithmetic_syntax import MAX_BITS, MAX_CHARACTERS, parse
from search.data import Outcome
from tests.actors.sandbox.server.arithmetic_programs import costly_program, hostile_codes, random_program, run_by_python

MAX_SECONDS = 0.5  # of processor time: many times what the costliest program takes


@pytest.mark.parametrize(
    ("codes", "printed"),
    [
        (["total = 300", "# 19 more come in\ntotal = total + 19", 'print(f"{total:g}")'], "319\n"),
        (["total = 7", "total = total / 9"], ""),
        (["total = 7", add_autoprint("total = total / 2")], "3.5\n"),
        ([add_autoprint("total = 7"), add_autoprint("total += 300 * 4000")], "1.20001e+06\n"),
        (["total = 7", "total = total / 9", 'print(f"{total:g}")'], "0.777778\n"),
        (["a = 3 * 4", "print(a / 5)"], "2.4\n"),
        (
            ["a = -7\na //= 2", "print('left:', a, a % 3, f'{a:.2f} and {a * 1000:,d}')"],
            "left: -4 2 -4.00 and -4,000\n",
        ),
        (["print()"], "\n"),
        (["# nothing"], ""),
        (["print(1)", "print(2)"], "2\n"),
        (["a = -(2 + 3) * -4 - -7 // 2  # so", "print(a, f'{{{a:g}}}', )"], "24 {24}\n"),
        (["a=1_000.5e-1", "print(a,.5,5.,1e3,00)"], "100.05 0.5 5.0 1000.0 0\n"),
        (['print ("a # b", \'it is "so"\')  # c'], 'a # b it is "so"\n'),
        (["match = 2\n  # indented\n\ntry:\n  print(match)\nexcept:\n # x\n    pass"], "2\n"),
    ],
)
def test_arithmetic_is_evaluated_as_python_would(codes: list[str], printed: str) -> None:
    assert evaluate(codes) == printed == run_by_python(codes)


@pytest.mark.parametrize(
    "code",
    [
        "import os",
        "print(open('/etc/passwd'))",
        "print(().__class__)",
        "print(__builtins__)",
        "__builtins__ = 3",
        "print = 3",
        "a = b = 3",
        "a, b = 1, 2",
        "a = 'x' * 10",
        "a = 2 ** 100",
        "a = 1 << 100",
        "a = True",
        "a = [1]",
        "a = (lambda: 1)()",
        "a = 1 if 2 else 3",
        "a = (b := 3)",
        "while 1: pass",
        "print(1, end='')",
        "print(*[1])",
        "print(f'{1:1000000000}')",
        "print(f'{1:.999999999f}')",
        "print(f'{1!r}')",
        "print(f'{1:{2}}')",
        "print('%d' % 3)",
        "print('a' + 'b')",
        "a = missing + 1",
        "a = 1 / 0",
        "a = 3j",
        "a = 'é'",
        "a = (",
        "a: int = 3",
        "del a",
        "\0",
        "a = " + "(" * 300 + "1" + ")" * 300,
        "a = " + "-" * (MAX_CHARACTERS - 20) + "1",
        "a = 1" + " " * MAX_CHARACTERS,
        "a = 9" + "0" * 400,
        "a = 007",
        "a = 1__0",
        "a = 0x10",
        "a = 1if 2else 3",
        "a = 1..real",
        "None = 3",
        "print(1 2)",
        "print(,)",
        "print('a' 'b')",
        "print('''a''')",
        "print(f'{1:g}' f'{2:g}')",
        "print(f'{}')",
        "print(f'{ }')",
        "print(f'}')",
        "print(f'{1#}')",
        "print(f'{1=}')",
        "print('\\x41')",
        " a = 3",
        "try:\n  a = 3\nexcept:\n  a = 4",
        "try:\n  print(1)\nexcept:\npass",
        "a = 3;",
        "a == 3",
        "a = 2 < 3",
        "a = (3))",
    ],
)
def test_evaluate_returns_none_for_all_other_code(code: str) -> None:
    assert evaluate([code]) is None
    assert evaluate([code, "print(1)"]) is None


def test_evaluate_refuses_large_numbers_and_long_programs() -> None:
    assert evaluate(["a = 3", *["a = a * a"] * 8, "print(a > 0)"]) is None
    squared = ["a = 3", *["a = a * a"] * 9, "print(a)"]  # 3 ** 512: 812 bits
    assert evaluate(squared) == f"{3**512}\n"
    assert (3**1024).bit_length() > MAX_BITS
    assert evaluate([*squared[:-1], "a = a * a", "print(a)"]) is None
    assert evaluate(["a = 1"] * MAX_STEPS) == ""
    assert evaluate(["a = 1"] * (MAX_STEPS + 1)) is None


ATOMS = st.one_of(
    st.integers(-50, 100_000).map(str), st.floats(0, 1e6).map(repr), st.sampled_from(["a", "b", "total", "missing"])
)
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    max_leaves=6,
)  # fmt: skip
LINES = st.one_of(
    st.tuples(st.sampled_from(["a", "b", "total"]), st.sampled_from(["=", "+=", "-=", "*=", "/="]), EXPRESSIONS).map(
        " ".join
    ),
    EXPRESSIONS.map(lambda text: f"print({text})"),
    st.tuples(EXPRESSIONS, st.sampled_from(["", ":g", ":.2f", ":d", ":,"])).map(
        lambda t: f'print(f"{{{t[0]}{t[1]}}}", "x")'
    ),
)
PROGRAMS = st.lists(st.lists(LINES, min_size=1, max_size=3).map("\n".join), min_size=1, max_size=5)


@settings(max_examples=400, deadline=None)
@given(codes=PROGRAMS)
def test_evaluate_equals_python_or_returns_none(codes: list[str]) -> None:
    assert evaluate(codes) in (None, run_by_python(codes))


@settings(max_examples=200, deadline=None)
@given(codes=st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 999)), min_size=1, max_size=6))
def test_evaluate_equals_python_on_assignments(codes: list[tuple[str, int]]) -> None:
    program = [
        "a = 5\nb = 8",
        *(f"{name} = {name} * {number} / 7 + b - {number}" for name, number in codes),
        "print(a, b)",
    ]
    assert evaluate(program) == run_by_python(program)


STEPS: list[tuple[tuple[str, ...], str]] = [
    (("a = 6",), "print(a * 7)"),
    (("a = 6",), "print(a / 0)"),
    (("a = 6",), "import math\nprint(math.sqrt(a * 6))"),
    (("a = 6", "b = [a] * 2"), "print(sum(b))"),
    (("a = 6", "b = [a] * 2"), "print(a)"),
    ((), "print(a)"),
    ((), "print("),
    (("a = 10 ** 40",), "print(f'{a:g}')"),
    (("a = 1",), "print(" + ", ".join(["a"] * 40) + ")"),
]


async def test_results_are_equal_with_and_without_evaluation() -> None:
    results = []
    for enabled in (False, True):
        config = ExecutorConfig(
            concurrency=2, required_tier=Tier.NONE, heavy_modules=(), evaluate_arithmetic=enabled, output_bytes=64
        )
        async with LocalExecutor(config) as executor:
            results.append(await executor.run_programs(STEPS))
    assert results[0] == results[1]
    assert [result.output for result in results[1]][:5] == [
        "42\n", "ZeroDivisionError: division by zero (line 1: print(a / 0))", "6.0\n", "12\n", "6\n"
    ]  # fmt: skip
    assert results[1][-1].outcome is Outcome.OUTPUT_TRUNCATED


def test_arithmetic_is_evaluated_by_default() -> None:
    assert ExecutorConfig().evaluate_arithmetic and ExecutorConfig().limits().evaluate_arithmetic


def check_programs(programs: int, seed: int) -> float:
    """Compare programs made at random with Python itself. Return the share of them that was evaluated.

    A program that is not evaluated runs in the sandbox as any other, so only the others are run by Python here.
    """
    rng = random.Random(seed)
    evaluated = 0
    for _ in range(programs):
        codes = random_program(rng)
        start = time.process_time()
        printed = evaluate(codes)
        assert time.process_time() - start < MAX_SECONDS, codes
        if printed is not None:
            evaluated += 1
            assert printed.isascii() and len(printed) <= MAX_OUTPUT_BYTES
            assert printed == run_by_python(codes), codes
    return evaluated / programs


def test_random_programs_print_what_python_prints() -> None:
    assert check_programs(1500, seed=1) > 0.25


@pytest.mark.slow
@pytest.mark.thorough
def test_100000_programs_print_what_python_prints() -> None:
    assert check_programs(100_000, seed=2) > 0.25


def test_hostile_codes_are_refused_or_equal_to_python() -> None:
    for code in hostile_codes():
        start = time.process_time()
        printed = evaluate([code])
        assert time.process_time() - start < MAX_SECONDS, code[:50]
        assert printed is None or printed == run_by_python([code]), code[:50]


def test_costliest_program_ends_within_its_time() -> None:
    codes = costly_program()
    assert len(codes) == MAX_STEPS and max(map(len, codes)) <= MAX_CHARACTERS
    parse.cache_clear()
    start = time.process_time()
    assert evaluate(codes) == run_by_python(codes)
    assert time.process_time() - start < MAX_SECONDS


def test_code_that_prints_too_much_is_not_evaluated() -> None:
    assert evaluate(["a = 1", "print(a, a)"], max_bytes=4) == "1 1\n"
    assert evaluate(["a = 1", "print(a, a)"], max_bytes=3) is None
    assert evaluate(["print(100)", "print(1)"], max_bytes=3) is None  # the first step would have failed
