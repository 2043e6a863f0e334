"""The built-in curriculum as a source of problems."""

from __future__ import annotations

from search.errors import UserError
from search.problems.config import CURRICULUM, DEFAULT_SPLIT, ProblemSetConfig
from search.problems.curriculum import make_problems
from search.problems.rows import CollectedProblems
from search.problems.sources.base import LoadedProblems, ProblemSource


def load_curriculum(config: ProblemSetConfig) -> LoadedProblems:
    """Return problems of a split and of some levels; their number is bounded by the curriculum's own variety."""
    assert config.count is not None  # the config refuses a curriculum without a count
    split = config.split or DEFAULT_SPLIT
    try:
        problems = tuple(make_problems(split, config.count, config.seed, config.levels))
    except ValueError as error:
        raise UserError(f"curriculum, split {split!r}, levels {list(config.levels)}: {error}") from error
    return LoadedProblems(problems=problems, source=CURRICULUM, collected=CollectedProblems(problems=problems))


SOURCE = ProblemSource(description="'curriculum'", accepts=lambda name: name == CURRICULUM, load=load_curriculum)
