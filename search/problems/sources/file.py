"""A JSON lines file as a source of problems."""

from __future__ import annotations

from pathlib import Path

from search.problems.config import ProblemSetConfig
from search.problems.rows import jsonl_rows
from search.problems.sources.base import LoadedProblems, ProblemSource, load_rows

ENDINGS = (".jsonl", ".json", ".ndjson", ".txt", ".csv")


def is_file(name: str) -> bool:
    """Return whether a name is meant as a path: by its ending, because it is absolute, or because it is there."""
    path = Path(name).expanduser()
    return path.suffix in ENDINGS or path.exists() or path.is_absolute()


def load_file(config: ProblemSetConfig) -> LoadedProblems:
    """Return the problems of a file. Raises UserError with the line of the first bad row."""
    path = Path(config.name).expanduser()
    return load_rows(config, jsonl_rows(path), path.stem)


SOURCE = ProblemSource(description="a path to a JSONL file", accepts=is_file, load=load_file)
