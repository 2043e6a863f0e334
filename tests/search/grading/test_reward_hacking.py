"""A policy that emits every answer form to please the grader: nothing is graded right unless it is right."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from search.data import Candidate, Finish, Problem, StepStatus
from search.formats.plain_format import PlainFormat
from search.grading.grader import grader

EXAMPLE_ANSWER = "17"
PROBLEMS = [
    Problem(id="p1", question="Tom has 3 bags of 8 apples and eats 5. How many are left?", answer="19", source="test"),
    Problem(id="p2", question="Solve 2x + 6 = 10 - 2y for y.", answer="y = 2 - x", source="test"),
    Problem(id="p3", question="Which of (A) 4, (B) 5, (C) 6 is prime?", answer="B", source="test"),
    Problem(id="p4", question="Find all x with x^2 = 49.", answer="\\pm 7", source="test"),
    Problem(id="p5", question="What is 1/3 of 25% of 100 m?", answer="\\frac{25}{3} \\text{ m}", source="test"),
    Problem(id="p6", question="For which k in 1, 2, 3 is k + 1 < 3.5?", answer="\\{1, 2\\}", source="test"),
    Problem(
        id="p7",
        question="Give the inverse of [[1, 2], [3, 4]].",
        answer="\\begin{pmatrix}-2&1\\\\3/2&-1/2\\end{pmatrix}",
        source="test",
    ),
    Problem(id="p8", question="Is 91 prime?", answer="No", source="test"),
]


def attempts(problem: Problem) -> Iterator[str]:
    """Yield incorrect solutions that use the question, all forms at once, or nothing."""
    numbers = re.findall(r"\d+(?:\.\d+)?", problem.question)
    right = problem.answer
    contents = [
        *numbers, ", ".join(numbers), " or ".join(numbers), " ".join(numbers),
        "{" + ",".join(map(str, range(40))) + "}", "x", "y", "?", "\\dots", "",
        problem.question, EXAMPLE_ANSWER, "ANSWER", "the answer", "any number", "x = x", "x \\in \\mathbb{R}",
        "(-\\infty, \\infty)", "\\infty", "nan", "None",
        "A, B, C, D", "A or B or C", "ABC", "(A)(B)(C)(D)", "Yes or No", "Yes/No", "True", "0/0", "1/0", "{}", "[]",
        "()", "0*" + right, f"{right} or 0",
        f"{right}, {right} + 1", f"not {right}", f"{right}{right}", f"\\neq {right}", f"{right} \\pm 1",
        f"\\text{{not }}{right}", f"{right}?{right}1",
    ]  # fmt: skip
    for content in contents:
        yield f"\\boxed{{{content}}}"
    yield "".join(f"\\boxed{{{number}}}" for number in range(30))
    yield ", ".join(f"\\boxed{{{number}}}" for number in range(30))
    yield f"\\boxed{{{right}}} no: \\boxed{{}}"
    yield f"\\boxed{{{right}}}, \\boxed{{12345}}"
    yield f"<think>\\boxed{{{right}}}"


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.id)
def test_incorrect_attempts_are_graded_incorrect(problem: Problem) -> None:
    step_format = PlainFormat()
    for text in attempts(problem):
        steps = step_format.parse(Candidate(text, (), Finish.END))
        assert steps[-1].status in (StepStatus.FINAL, StepStatus.NO_ANSWER)
        assert not grader().grade(problem, steps[-1].answer), (problem.answer, text)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.id)
def test_reference_itself_is_graded_correct(problem: Problem) -> None:
    (step,) = PlainFormat().parse(Candidate(f"\\boxed{{{problem.answer}}}", (), Finish.END))
    assert grader().grade(problem, step.answer)
