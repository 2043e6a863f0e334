"""Read and write files of records, one JSON line each. Loads no model library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from search import serialization
from search.errors import UserError
from search.storage.files import open_atomic

Record = TypeVar("Record")


class BadLine(ValueError):
    """A line that is no record. ``field``: path of the first bad field, empty if the line as a whole is bad."""

    def __init__(self, field: str, fault: str) -> None:
        super().__init__(f"{field}: {fault}" if field else fault)
        self.field = field
        self.fault = fault


def parse_record(record_type: type[Record], line: bytes) -> Record:
    """Return the record in a line. Raises BadLine."""
    try:
        return serialization.load(record_type, line)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadLine(".".join(str(part) for part in first["loc"]), first["msg"]) from error


def read_records(record_type: type[Record], files: Sequence[Path]) -> Iterator[Record]:
    """Yield all records of the files in order. Raises UserError that names file, line and field."""
    for file in files:
        if not file.is_file():
            raise UserError(f"no data file {file}: JSON lines of {record_type.__name__} are needed")
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    record = parse_record(record_type, line)
                except BadLine as bad:
                    raise UserError(
                        f"{file}, line {number}: no {record_type.__name__}, {bad.field or 'line'}: {bad.fault}"
                    ) from bad
                yield record


def write_records(records: Iterable[object], path: Path) -> int:
    """Write a file of records, complete or absent, and return their number."""
    count = 0
    with open_atomic(path) as file:
        for record in records:
            file.write(serialization.dump(record) + "\n")
            count += 1
    return count
