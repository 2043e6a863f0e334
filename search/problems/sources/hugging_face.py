"""Any data set of the Hugging Face Hub as a source of problems."""

from __future__ import annotations

import re

from search.problems.config import DEFAULT_SPLIT, ProblemSetConfig
from search.problems.hub import hub_rows
from search.problems.rows import Reading
from search.problems.sources.base import LoadedProblems, ProblemSource, load_rows

NAME = re.compile(r"^[\w.-]+/[\w.-]+$")


def load_hugging_face(config: ProblemSetConfig) -> LoadedProblems:
    """Return the problems of a split. Raises UserError if the set cannot be reached."""
    rows = hub_rows(config.name, config.subset, config.split or DEFAULT_SPLIT)
    reading = Reading(source=config.name.rsplit("/", 1)[1], is_published=True)
    return load_rows(config, rows, reading)


SOURCE = ProblemSource(
    description="a Hugging Face data set as owner/name",
    accepts=lambda name: bool(NAME.match(name)),
    load=load_hugging_face,
)
