"""The built-in curriculum: word problems of 1 to 8 steps with exact answers, exact step checks and worked solutions."""

from __future__ import annotations

from search.data import Problem, Step, Trajectory
from search.errors import UserError
from search.problems.curriculum import cache
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
CACHED_COUNT = 50  # from so many problems on, reading them from the cache is quicker than composing them
_compositions: dict[str, Composition] = {}  # by problem id


def make_problems(split: str, count: int, seed: int, levels: tuple[int, int]) -> list[Problem]:
    """Return ``count`` different problems of a split, with levels spread evenly over the inclusive range.

    The id names split, level and seed, from which ``composition_of`` composes the problem again. Raises UserError if there
    are too few problems: those of one step differ in little.
    """
    if count < CACHED_COUNT:
        composed = _compose_all(Split(split), count, seed, levels)
    else:
        arguments = (split, count, seed, *levels)
        kept = cache.read_composed(*arguments)
        composed = kept or _compose_all(Split(split), count, seed, levels)
        if kept is None:
            cache.write_composed(composed, *arguments)
    problems = []
    for level, problem_seed, composition in composed:
        problem = _problem(Split(split), level, problem_seed, composition)
        _compositions[problem.id] = composition
        problems.append(problem)
    return problems


def _compose_all(split: Split, count: int, seed: int, levels: tuple[int, int]) -> list[cache.Composed]:
    low, high = levels
    composed: dict[str, cache.Composed] = {}
    attempt = 0
    while len(composed) < count:
        if attempt > TRIES_PER_PROBLEM * count:
            raise UserError(
                f"the curriculum has fewer than {count} different {split} problems of {low} to {high} steps: "
                f"{len(composed)} were found; ask for fewer or deeper ones"
            )
        level = low + len(composed) % (high - low + 1)
        problem_seed = derive(seed, split, attempt) % 10**9
        composition = compose(split, level, problem_seed)
        composed.setdefault(composition.question, (level, problem_seed, composition))
        attempt += 1
    return list(composed.values())


def _problem(split: Split, level: int, seed: int, composition: Composition) -> Problem:
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
    if problem_id not in _compositions:
        _compositions[problem_id] = compose(Split(split), int(level), int(seed))
    return _compositions[problem_id]


def is_from_curriculum(problem: Problem) -> bool:
    """Return whether the problem is from the curriculum, so that it has a worked solution."""
    return problem.source.startswith(f"{SOURCE}/")


def worked_trajectory(problem: Problem) -> Trajectory:
    """Return the worked solution of a curriculum problem as a training record."""
    steps: tuple[Step, ...] = worked_solution(composition_of(problem.id))
    return Trajectory(problem, steps, correct=True, q=1.0)
