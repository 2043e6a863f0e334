"""Choose the solutions that a person should label next (active learning)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.seeds import derive


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredSolution:
    """A finished solution: a unique name, the reward model's score of it as a whole, and whether its answer is correct."""

    name: str
    score: float
    correct: bool


def incorrect_share(count: int) -> int:
    """Return 80 % of ``count``, to the nearest whole number: 1 of 1, 2 of 2, 2 of 3, 3 of 4, 4 of 5."""
    return (8 * count + 5) // 10


def choose(solutions: Sequence[ScoredSolution], count: int, seed: int) -> list[int]:
    """Return the indices of the ``count`` solutions to label, or of all if there are fewer.

    Let's Verify Step by Step (arXiv 2305.20050), section 4: 80 % are the most convincing solutions with an incorrect
    answer, those of the highest score. The rest are the most convincing of all that are left, correct or incorrect. If
    there are fewer incorrect ones than 80 %, more correct ones take their place. Equal scores are ordered by the seed.
    First come the incorrect ones, then the rest, each part with the most convincing first.
    """
    order = sorted(range(len(solutions)), key=lambda i: (-solutions[i].score, derive(seed, solutions[i].name)))
    incorrect = [index for index in order if not solutions[index].correct][: incorrect_share(count)]
    chosen = set(incorrect)
    rest = [index for index in order if index not in chosen]
    return incorrect + rest[: max(0, count - len(incorrect))]
