"""Active selection: which solutions a person should label next. Pure; knows scores and grades, no judge and no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.seeds import derive


@dataclass(frozen=True, slots=True)
class ScoredSolution:
    """A finished solution: a name of its own, the judge's score of it as a whole, and whether its answer is right."""

    name: str
    score: float
    right: bool


def wrong_wanted(count: int) -> int:
    """80 % of ``count``, to the nearest whole number: 1 of 1, 2 of 2, 2 of 3, 3 of 4, 4 of 5."""
    return (8 * count + 5) // 10


def choose(solutions: Sequence[ScoredSolution], count: int, seed: int) -> list[int]:
    """Indices of the ``count`` solutions to label, or of all where there are fewer.

    Let's Verify Step by Step (arXiv 2305.20050), section 4: 80 % are the most convincing solutions with a wrong answer,
    those of the highest score; the rest are the most convincing of all that are left, right or wrong. Where there are
    fewer wrong ones than 80 %, more right ones take their place. Equal scores are ordered by the seed. First the wrong
    ones, then the rest, each part with the most convincing first.
    """
    order = sorted(range(len(solutions)), key=lambda i: (-solutions[i].score, derive(seed, solutions[i].name)))
    wrong = [index for index in order if not solutions[index].right][: wrong_wanted(count)]
    taken = set(wrong)
    rest = [index for index in order if index not in taken]
    return wrong + rest[: max(0, count - len(wrong))]
