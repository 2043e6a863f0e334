"""Keep what a benchmark has finished: a file with a JSON line for each result, to which a result is added once it is there."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from search.serialization import dump
from train.data.records import read_records

Result = TypeVar("Result")


def read_results(result_type: type[Result], file: Path) -> list[Result]:
    """Return all results in a file; none if there is no file."""
    return list(read_records(result_type, [file])) if file.exists() else []


def append_result(file: Path, result: object) -> None:
    """Add a record to a file."""
    append_line(file, dump(result))


def append_line(file: Path, line: str) -> None:
    """Add a line to a file, which is made if there is none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(f"{line}\n")
