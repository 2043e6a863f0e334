"""A file as a source of problems: JSON lines, JSON, parquet or CSV."""

from __future__ import annotations

from pathlib import Path

from search.problems.config import ProblemSetConfig
from search.problems.files import READERS, file_rows
from search.problems.rows import Reading
from search.problems.sources.base import LoadedProblems, ProblemSource, load_rows


def is_file(name: str) -> bool:
    """Return whether a name is meant as a path: by its ending, because it is absolute, or because it is there."""
    path = Path(name).expanduser()
    return path.suffix.lower() in READERS or path.exists() or path.is_absolute()


def load_file(config: ProblemSetConfig) -> LoadedProblems:
    """Return the problems of a file. Raises UserError with the line of the first bad row."""
    path = Path(config.name).expanduser()
    return load_rows(config, file_rows(path), Reading(source=path.stem))


SOURCE = ProblemSource(description="a path to a JSONL, JSON, parquet or CSV file", accepts=is_file, load=load_file)
