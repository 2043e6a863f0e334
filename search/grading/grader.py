"""Grade answers of problems by value. The only module that reads ``Problem.answer``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from search.concurrency.tracing import Activity, span
from search.data import Problem
from search.grading.equivalence import equivalent, equivalent_async

__all__ = ["MathGrader", "equivalent", "grade", "grader"]


class Grader(Protocol):
    """What ``search.protocols`` calls a grader."""

    def grade(self, problem: Problem, answer: str | None) -> bool: ...


@runtime_checkable
class AwaitableGrader(Protocol):
    """A grader that can wait for slow comparisons without blocking the event loop."""

    async def grade_async(self, problem: Problem, answer: str | None) -> bool: ...


async def grade(grader: Grader, problem: Problem, answer: str | None) -> bool:
    """Return the grade of an answer, awaited if the grader can. Exact comparisons return without suspending."""
    with span(Activity.GRADE):
        if isinstance(grader, AwaitableGrader):
            return await grader.grade_async(problem, answer)
        return grader.grade(problem, answer)


@dataclass(frozen=True, slots=True)
class MathGrader:
    """Grade by value: see ``search.grading.equivalent``."""

    def grade(self, problem: Problem, answer: str | None) -> bool:
        """Return whether the answer is right; False for None. Never raises for what a model wrote.

        Raises ValueError if the problem has no reference, GraderUnavailable if algebra is needed and cannot run.
        """
        reference = _reference(problem)
        return answer is not None and equivalent(reference, answer)

    async def grade_async(self, problem: Problem, answer: str | None) -> bool:
        """Return what ``grade`` returns; wait for algebra without blocking the event loop."""
        reference = _reference(problem)
        return answer is not None and await equivalent_async(reference, answer)


def _reference(problem: Problem) -> str:
    if not problem.answer:
        raise ValueError(f"problem {problem.id} has no reference answer: it is blind and must not be graded")
    return problem.answer


def grader() -> MathGrader:
    """Return the default grader."""
    return MathGrader()
