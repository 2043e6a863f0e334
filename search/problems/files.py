"""Rows of data files: JSON lines, JSON, parquet, CSV. A fault comes with the line or the row."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from search.errors import UserError
from search.problems.fields import BadRow, quote
from search.problems.rows import SourceRow

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_CELL = 64 * 2**20  # characters of a CSV cell
CONTENT = "a question and an answer each"


def file_rows(path: Path) -> Iterator[SourceRow]:
    """Yield the rows of a file by its ending, JSON lines for an unknown one. UserError if it cannot be read or is empty."""
    return READERS.get(path.suffix.lower(), jsonl_rows)(path)


def jsonl_rows(path: Path, content: str = CONTENT) -> Iterator[SourceRow]:
    """Yield the rows of a JSON lines file; blank lines are skipped.

    UserError, which names the expected ``content``, if the file cannot be read or is empty.
    """
    expected = f"expected JSON lines with {content}"
    _check(path, expected)
    is_empty = True
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                line = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
                if line.strip():
                    is_empty = False
                    yield SourceRow(f"{path}:{number}", _parse_line(line))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    if is_empty:
        raise UserError(f"{path}: the file is empty; {expected}")


def json_rows(path: Path) -> Iterator[SourceRow]:
    """Yield the items of a JSON list, or of the one list in a JSON object; else the lines of JSON lines."""
    _check(path, f"expected JSON with {CONTENT}")
    try:
        value = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        if not path.read_bytes().removeprefix(BYTE_ORDER_MARK).lstrip().startswith(b"["):
            yield from jsonl_rows(path)
            return
        line = getattr(error, "lineno", 1)
        raise UserError(f"{path}:{line}: not JSON: {getattr(error, 'msg', error)}") from error
    lists = [item for item in value.values() if isinstance(item, list)] if isinstance(value, dict) else []
    if isinstance(value, dict) and len(lists) == 1 and all(isinstance(item, dict) for item in lists[0]):
        value = lists[0]
    items = value if isinstance(value, list) else [value]
    if not items:
        raise UserError(f"{path}: the list is empty; expected {CONTENT}")
    for number, item in enumerate(items, start=1):
        yield SourceRow(f"{path} item {number}", item)


def csv_rows(path: Path) -> Iterator[SourceRow]:
    """Yield the rows of a CSV file (tabs for .tsv) whose first line names the columns. An empty cell is no value."""
    _check(path, f"expected CSV with {CONTENT}")
    csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL))
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
        begin = 1
        try:
            header = next(reader, None)
            if header is None:
                raise UserError(f"{path}: the file is empty; expected CSV with {CONTENT}")
            begin = reader.line_num + 1
            for cells in reader:
                if cells:
                    yield SourceRow(f"{path}:{begin}", _cells(header, cells))
                begin = reader.line_num + 1
        except (csv.Error, UnicodeDecodeError) as error:
            reason = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else f"not CSV: {error}"
            raise UserError(f"{path}:{begin}: {reason}") from error


def _cells(header: list[str], cells: list[str]) -> object:
    if len(cells) != len(header):
        return BadRow(f"{len(cells)} cells, but the first line names {len(header)} columns")
    return {name: cell or None for name, cell in zip(header, cells, strict=True)}


def parquet_rows(path: Path) -> Iterator[SourceRow]:
    """Yield the rows of a parquet file."""
    import pyarrow  # half a second, and most runs read no parquet
    from pyarrow import parquet

    _check(path, f"expected parquet with {CONTENT}")
    try:
        file = parquet.ParquetFile(path)
        number = 0
        for batch in file.iter_batches(batch_size=1000):
            for row in batch.to_pylist():
                yield SourceRow(f"{path} row {number}", row)
                number += 1
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{path}: cannot be read as parquet: {' '.join(str(error).split())[:200]}") from error
    if number == 0:
        raise UserError(f"{path}: the file has no rows; expected {CONTENT}")


READERS: dict[str, Callable[[Path], Iterator[SourceRow]]] = {
    ".jsonl": jsonl_rows,
    ".ndjson": jsonl_rows,
    ".txt": jsonl_rows,
    ".json": json_rows,
    ".csv": csv_rows,
    ".tsv": csv_rows,
    ".parquet": parquet_rows,
}


def _check(path: Path, expected: str) -> None:
    if not path.exists():
        raise UserError(f"{path}: no such file; {expected}")
    if not path.is_file():
        raise UserError(f"{path}: not a file; {expected}")


def _parse_line(line: bytes) -> object:
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return BadRow("not UTF-8 text; expected one JSON object a line")
    except (ValueError, RecursionError):  # a number of thousands of digits, brackets without end
        return BadRow(f"not JSON; expected one JSON object a line, found {quote(line.decode('utf-8').strip())}")
