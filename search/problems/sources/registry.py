"""Sources of problems, in the order in which they are asked. A new source is one file and one line of ``SOURCES`` here."""

from __future__ import annotations

from search.errors import UserError
from search.problems.config import ProblemSetConfig
from search.problems.sources import curriculum, file, hugging_face, named_sets
from search.problems.sources.base import LoadedProblems, ProblemSource

SOURCES: tuple[ProblemSource, ...] = (
    curriculum.SOURCE,
    named_sets.SOURCE,
    file.SOURCE,
    hugging_face.SOURCE,
)


def load_problems(config: ProblemSetConfig) -> LoadedProblems:
    """Return the problems of a set, in a fixed order and with stable ids. Bad input is a UserError of one line."""
    for source in SOURCES:
        if source.accepts(config.name):
            if config.file is not None and source is not named_sets.SOURCE:
                raise UserError(f"{config.name}: file is for a data set by name only: give the file as the name")
            return source.load(config)
    *others, last = (source.description for source in SOURCES)
    raise UserError(f"unknown problem set {config.name!r}: expected {', '.join(others)}, or {last}")
