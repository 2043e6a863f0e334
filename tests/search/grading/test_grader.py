"""Grading: what counts as the same answer, what does not, and that no text of a model's can hang or break it."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from search.data import Problem
from search.grading import equivalence, equivalent, equivalent_async
from search.grading.algebra import pool
from search.grading.grader import MathGrader, grade, grader

EXACT = [
    ("72", "72"), ("72", " 72. "), ("72", "72.0"), ("72", "72.00"), ("72", "$72"), ("72", "\\$72"), ("72", "72 dollars"),
    ("72", "$72$"), ("72", "\\boxed{72}"), ("72", "\\text{72}"), ("72", "x = 72"), ("72", "+72"), ("72", "**72**"),
    ("72", "72 km/h"), ("72", "72 apples per day"), ("72", "72\\text{ cm}^2"), ("72", "72 cm^2"), ("72", "72^\\circ"),
    ("-3", "−3"), ("-3", "-$3"), ("-3", "$-3"), ("-3", "-3.0"), ("0", "-0"),
    ("3/4", "0.75"), ("0.75", "3/4"), ("0.75", ".75"), ("3/4", "\\frac{3}{4}"), ("3/4", "\\dfrac34"), ("6/8", "3/4"),
    ("-1/2", "-\\frac{1}{2}"), ("-1/2", "\\frac{-1}{2}"), ("3/2", "1 1/2"), ("3/2", "1\\frac{1}{2}"), ("-3/2", "-1 1/2"),
    ("1234567", "1,234,567"), ("1,234.5", "1234.50"), ("1000", "1{,}000"), ("1000", "1,\\!000"),
    ("25%", "25"), ("25", "25%"), ("0.25", "25\\%"), ("25%", "0.25"), ("25%", "1/4"), ("12.5", "12.5 percent"),
    ("1500000", "1.5 million"), ("3000", "3 thousand dollars"), ("1000", "1e3"), ("0.00001", "1e-05"),
    ("0.3", "0.30000000000000004"), ("1/3", "0.3333333333333333"), ("200/3", "66.66666666666667"), ("1/3", "0.333333"),
    ("Monday", "monday"), ("no solution", "\\text{No  solution}"), ("(1, 2)", "(1,2)"),
]  # fmt: skip
WRONG = [
    ("72", "73"), ("72", ""), ("72", "   "), ("72", "."), ("72", "$"), ("72", "seventy-two"), ("72", "-72"), ("72", "7.2"),
    ("1/3", "0.33"), ("0.3333", "1/3"), ("2", "2.000001"), ("1000001", "1000000.5"), ("5", "5 million"), ("5", "5 pi"),
    ("5", "5 and 6"), ("5", "5, 6"), ("0.25", "2.5%"), ("25%", "25/4"), ("100", "1%"), ("1/0", "1"), ("1", "1/0"),
    ("3", "3 hours and twenty minutes"), ("3", "3 hours 20 minutes"), ("Amy", "May"), ("stop", "pots"),
    ("1020", "10,20"), ("5", "5x"), ("1", "{{{{"), ("1", "\\frac{"), ("1", "\\boxed{"), ("7", "\x00"), ("7", "⁇"),
]  # fmt: skip
ALGEBRA = [
    ("x+1", "1+x"), ("\\sqrt{12}", "2\\sqrt{3}"), ("2\\sqrt{3}", "2*sqrt(3)"), ("x^2+1", "x**2 + 1"),
    ("\\frac{\\pi}{4}", "\\pi/4"), ("\\{1,2\\}", "\\{2,1\\}"), ("(x-1)(x+1)", "x^2-1"), ("10!", "3628800"),
    ("\\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt{2}}"), ("2^{10}", "1024"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), EXACT)
def test_answer_is_equal_without_algebra(gold: str, answer: str) -> None:
    assert equivalence.exact_verdict(gold, answer) is True


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_answer_is_different(gold: str, answer: str) -> None:
    assert not equivalent(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), ALGEBRA)
def test_answer_is_equal_by_algebra(gold: str, answer: str) -> None:
    assert equivalent(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), [("x+1", "x+2"), ("\\sqrt{2}", "1.41"), ("(1,2)", "(2,1)"), ("x", "y")])
def test_answer_is_different_by_algebra(gold: str, answer: str) -> None:
    assert not equivalent(gold, answer)


def test_missing_answer_is_wrong_and_blind_problem_is_refused() -> None:
    problem = Problem(id="p", question="What is 3/4?", answer="3/4", source="test")
    assert grader().grade(problem, "0.75")
    assert not grader().grade(problem, None)
    with pytest.raises(ValueError, match="p has no reference answer"):
        grader().grade(problem.without_answer(), "0.75")


def test_overlong_answer_is_wrong() -> None:
    assert equivalent("1", "1" + " " * 10)
    assert not equivalent("1", "1" + " " * 1000)
    assert not equivalent("1", "+".join("1" * 5000))


@pytest.mark.parametrize("junk", ["\\" * 300, "(" * 300, "^" * 300, "\\frac" * 70, "1/" * 150, "x=" * 100, "$" * 300])
def test_nonsense_is_wrong(junk: str) -> None:
    assert not equivalent("x+2", junk)


async def test_awaited_grade_leaves_the_event_loop_free() -> None:
    problem = Problem(id="p", question="q", answer="\\cos(2x)", source="test")
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    assert await grade(grader(), problem, "2\\cos^2(x) - 1")
    ticking.cancel()
    assert ticks > 1
    assert not await grade(grader(), problem, None)


async def test_exact_grade_does_not_suspend() -> None:
    coroutine = equivalent_async("1/2", "0.5")
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    assert ended.value.value is True


async def test_synchronous_grader_is_awaited_too() -> None:
    class SameText:
        def grade(self, problem: Problem, answer: str | None) -> bool:
            return answer == problem.answer

    problem = Problem(id="p", question="q", answer="1", source="test")
    assert await grade(SameText(), problem, "1")
    assert not await grade(SameText(), problem, "1.0")


def test_answer_is_graded_from_another_thread() -> None:
    verdicts: list[bool] = []
    thread = threading.Thread(target=lambda: verdicts.append(equivalent("\\sin(z+1)", "\\sin(1+z)")))
    thread.start()
    thread.join()
    assert verdicts == [True]


def test_threads_share_the_children() -> None:
    pairs = [(f"\\sin({i}a)^2", f"{1 + i % 2}-\\cos({i}a)^2") for i in range(1, 17)]
    verdicts: dict[int, bool] = {}
    threads = [threading.Thread(target=lambda i=i: verdicts.update({i: equivalent(*pairs[i])})) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts == {i: (i + 1) % 2 == 0 for i in range(16)}
    assert pool.pool().counts["compared"] >= 16


def test_grader_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(grader())) == MathGrader()


def test_importing_the_grader_loads_no_algebra_library() -> None:
    heavy = ("sympy", "mpmath", "math_verify", "torch", "numpy")
    code = f"import sys, search.grading.grader; print([m for m in {heavy} if m in sys.modules])"
    root = Path(pool.__file__).parents[2]
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert shown.stdout.strip() == "[]"
