"""The built-in curriculum: word problems of 1 to 8 steps with exact answers, exact step checks and worked solutions."""

from __future__ import annotations

from search.data import Problem, Step, Trajectory
from search.errors import UserError
from search.problems.curriculum.checking import check_steps, first_incorrect_step
from search.problems.curriculum.compose import Composition, Split, compose
from search.problems.curriculum.solutions import first_incorrect_fact, worked_solution
from search.seeds import derive

__all__ = [
    "Composition",
    "Split",
    "check_steps",
    "composition_of",
    "first_incorrect_fact",
    "first_incorrect_step",
    "is_from_curriculum",
    "make_problems",
    "worked_solution",
    "worked_trajectory",
]

SOURCE = "curriculum"
TRIES_PER_PROBLEM = 20


def make_problems(split: str, count: int, seed: int, levels: tuple[int, int]) -> list[Problem]:
    """Return ``count`` different problems of a split, with levels spread evenly over the inclusive range.

    The id names split, level and seed, from which ``composition_of`` composes the problem again. Raises UserError if there
    are too few problems: those of one step differ in little.
    """
    low, high = levels
    problems: dict[str, Problem] = {}
    attempt = 0
    while len(problems) < count:
        if attempt > TRIES_PER_PROBLEM * count:
            raise UserError(
                f"the curriculum has fewer than {count} different {split} problems of {low} to {high} steps: "
                f"{len(problems)} were found; ask for fewer or deeper ones"
            )
        level = low + len(problems) % (high - low + 1)
        problem = _make_problem(Split(split), level, derive(seed, split, attempt) % 10**9)
        problems.setdefault(problem.question, problem)
        attempt += 1
    return list(problems.values())


def _make_problem(split: Split, level: int, seed: int) -> Problem:
    composition = compose(split, level, seed)
    return Problem(
        id=f"{SOURCE}-{split}-{level}-{seed}",
        question=composition.question,
        answer=str(composition.facts[-1].value),
        source=f"{SOURCE}/{split}",
        level=level,
    )


def composition_of(problem_id: str) -> Composition:
    """Return the composition of a curriculum problem. Raises ValueError for any other id."""
    source, split, level, seed = problem_id.split("-")
    if source != SOURCE:
        raise ValueError(f"{problem_id!r} is no id of a curriculum problem")
    return compose(Split(split), int(level), int(seed))


def is_from_curriculum(problem: Problem) -> bool:
    """Return whether the problem is from the curriculum, so that it has a worked solution."""
    return problem.source.startswith(f"{SOURCE}/")


def worked_trajectory(problem: Problem) -> Trajectory:
    """Return the worked solution of a curriculum problem as a training record."""
    steps: tuple[Step, ...] = worked_solution(composition_of(problem.id))
    return Trajectory(problem, steps, correct=True, q=1.0)
