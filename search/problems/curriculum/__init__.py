"""The built-in curriculum: word problems of 1 to 8 steps with exact answers, exact step checks and worked solutions."""

from __future__ import annotations

from search.data import Problem, Step, Trajectory
from search.errors import UserError
from search.problems.curriculum.checking import check_steps, first_wrong_step
from search.problems.curriculum.compose import Composition, Split, compose
from search.problems.curriculum.solutions import first_wrong, worked_solution
from search.seeds import derive

__all__ = [
    "Composition",
    "Split",
    "check_steps",
    "composition_of",
    "first_wrong",
    "first_wrong_step",
    "problems",
    "worked",
    "worked_solution",
]

SOURCE = "curriculum"
TRIES_PER_PROBLEM = 20


def problems(split: str, count: int, seed: int, levels: tuple[int, int]) -> list[Problem]:
    """``count`` problems of ``split`` with levels spread evenly over the inclusive range; no two ask the same.

    The id names split, level and seed, so that the composition can be made again from it. Raises UserError where there
    are not so many: problems of one step differ in little.
    """
    low, high = levels
    found: dict[str, Problem] = {}
    attempt = 0
    while len(found) < count:
        if attempt > TRIES_PER_PROBLEM * count:
            raise UserError(
                f"the curriculum has fewer than {count} different {split} problems of {low} to {high} steps: "
                f"{len(found)} were found; ask for fewer or deeper ones"
            )
        level = low + len(found) % (high - low + 1)
        problem = _problem(Split(split), level, derive(seed, split, attempt) % 10**9)
        found.setdefault(problem.question, problem)
        attempt += 1
    return list(found.values())


def _problem(split: Split, level: int, seed: int) -> Problem:
    made = compose(split, level, seed)
    return Problem(
        id=f"{SOURCE}-{split}-{level}-{seed}",
        question=made.question,
        answer=str(made.facts[-1].value),
        source=f"{SOURCE}/{split}",
        level=level,
    )


def composition_of(problem_id: str) -> Composition:
    """The composition behind a curriculum problem's id. Raises ValueError for any other id."""
    source, split, level, seed = problem_id.split("-")
    if source != SOURCE:
        raise ValueError(f"{problem_id!r} is no id of a curriculum problem")
    return compose(Split(split), int(level), int(seed))


def of_curriculum(problem: Problem) -> bool:
    """Whether the problem is one of these, so that there is a worked solution of it."""
    return problem.source.startswith(f"{SOURCE}/")


def worked(problem: Problem) -> Trajectory:
    """The worked solution of a curriculum problem as a trajectory to learn from."""
    steps: tuple[Step, ...] = worked_solution(composition_of(problem.id))
    return Trajectory(problem, steps, correct=True, q=1.0)
