"""Apply the keys of a labelling session to the solutions being rated, one solution after another, one step after another.

The position follows from the ratings: the first solution that is not finished, after its last rating. So whoever reads
the file again continues where the last session stopped, and can undo what it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from train.labels.prm800k import FinishReason, Rating


class Key(StrEnum):
    """The keys that a person may press at a step."""

    GOOD = "g"
    NEUTRAL = "n"
    BAD = "b"
    UNDO = "u"
    SKIP = "s"
    QUIT = "q"


RATINGS: dict[Key, Rating] = {Key.GOOD: 1, Key.NEUTRAL: 0, Key.BAD: -1}


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedSolution:
    """A solution and the ratings of its first steps, in order.

    ``finish_reason`` is None until the solution is finished: "found_error" at the first bad step, where labelling ends
    (Let's Verify Step by Step, section 2.6), "solution" after the last step, "give_up" where it was skipped.
    ``milliseconds``: the time that a person spent on it.
    """

    steps: tuple[str, ...]
    ratings: tuple[Rating, ...] = ()
    finish_reason: FinishReason | None = None
    milliseconds: int = 0


def current_index(solutions: Sequence[RatedSolution]) -> int | None:
    """Return the index of the first unfinished solution, or None. Its current step is the one after the last rating."""
    return next((index for index, solution in enumerate(solutions) if solution.finish_reason is None), None)


def apply_key(solutions: Sequence[RatedSolution], key: Key, milliseconds: int = 0) -> tuple[int, RatedSolution] | None:
    """Return the index of the solution that a key changes and its new state, or None where the key changes nothing.

    ``milliseconds``: the time since the previous key. Undo removes the last rating or skip, that of the previous
    solution where the current one has none.
    """
    current = current_index(solutions)
    if key is Key.UNDO:
        last = _last_rated_index(solutions, current)
        return None if last is None else (last, _undo(solutions[last], milliseconds))
    if current is None or key is Key.QUIT:
        return None
    solution = replace(solutions[current], milliseconds=solutions[current].milliseconds + milliseconds)
    if key is Key.SKIP:
        return current, replace(solution, finish_reason="give_up")
    ratings = (*solution.ratings, RATINGS[key])
    return current, replace(solution, ratings=ratings, finish_reason=finish_reason_of(solution.steps, ratings))


def finish_reason_of(steps: Sequence[str], ratings: Sequence[Rating]) -> FinishReason | None:
    """Return how a solution with these ratings is finished, or None where steps remain to be rated."""
    if -1 in ratings:
        return "found_error"
    return "solution" if len(ratings) == len(steps) else None


def _last_rated_index(solutions: Sequence[RatedSolution], current: int | None) -> int | None:
    if current is not None and solutions[current].ratings:
        return current
    previous = (len(solutions) if current is None else current) - 1
    return previous if previous >= 0 else None


def _undo(solution: RatedSolution, milliseconds: int) -> RatedSolution:
    ratings = solution.ratings if solution.finish_reason == "give_up" else solution.ratings[:-1]
    return replace(solution, ratings=ratings, finish_reason=None, milliseconds=solution.milliseconds + milliseconds)
