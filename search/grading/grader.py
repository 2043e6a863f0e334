"""Whether an answer equals the reference. The one place that reads ``Problem.answer``; knows nothing of searches.

Exact comparisons come first and settle nearly all answers; only what is left goes to math-verify, in a process of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from search.data import Problem
from search.grading import symbolic
from search.grading.answers import MAX_LENGTH, Number, canonical, normalise, number, words_only
from search.protocols import Grader

__all__ = ["MathGrader", "canonical", "equivalent", "grader"]

CACHED = 1 << 16  # pairs of reference and answer that are remembered
AGREED_PLACES = 6  # decimals from which agreement as far as the coarser number is written counts as equal


@dataclass(frozen=True, slots=True)
class MathGrader:
    """Grades by value: numbers exactly, words by their letters, everything else by algebra."""

    def grade(self, problem: Problem, answer: str | None) -> bool:
        """False for no answer. Never raises for what a model wrote; ValueError if the problem has no reference."""
        if not problem.answer:
            raise ValueError(f"problem {problem.id} has no reference answer: it is blind and must not be graded")
        return answer is not None and equivalent(problem.answer, answer)


def grader() -> Grader:
    """The grader of the house."""
    return MathGrader()


@lru_cache(maxsize=CACHED)
def equivalent(gold: str, answer: str) -> bool:
    """Whether ``answer`` means what ``gold`` means. Empty or overlong answers are wrong.

    A per cent p equals p and p / 100, whichever side wrote the sign. Raises symbolic.NotStarted if math-verify cannot run.
    """
    if not answer.strip() or len(answer) > MAX_LENGTH:
        return False
    left, right = normalise(gold), normalise(answer)
    if not right:
        return False
    if canonical(gold) == canonical(answer):
        return True
    left_number, right_number = number(left), number(right)
    if left_number is not None and right_number is not None:
        return _same_number(left_number, right_number)
    if words_only(left) or words_only(right):  # math-verify would multiply the letters: "Amy" and "May" would be equal
        return False
    return symbolic.equal(left, right)


def _same_number(gold: Number, answer: Number) -> bool:
    if _close(gold, answer, Fraction(1)):
        return True
    if gold.percent == answer.percent:
        return False
    return _close(gold, answer, Fraction(1, 100) if answer.percent else Fraction(100))


def _close(gold: Number, answer: Number, scale: Fraction) -> bool:
    """Equal, or two roundings of one value: 0.333333 and 1/3, but not 0.33 and 1/3."""
    difference = abs(gold.value - answer.value * scale)
    places = [side.places for side in (gold, answer) if side.places is not None]
    if not places or min(places) < AGREED_PLACES:
        return difference == 0
    return difference <= Fraction(1, 2 * 10 ** min(places))
