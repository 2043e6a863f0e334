"""Rows of data files, and the problems in them.

Reference answers are read as GSM8K (``… #### 72``) and MATH (``… \\boxed{72}``) write them, or as they stand.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from search.data import Problem
from search.errors import UserError
from search.grading.extract import boxed_answer
from search.grading.reading import MAX_LENGTH

GSM8K_MARK = "####"
QUOTE_LENGTH = 60  # characters of a bad value that a message quotes


class BadRow(ValueError):
    """A fault of a row, in one line without its place."""


@dataclass(frozen=True, slots=True)
class FieldNames:
    """Names of the fields of a row; the field ``id`` is optional."""

    question: str = "question"
    answer: str = "answer"
    id: str = "id"


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row and its place for messages, such as ``data.jsonl:7``; ``value`` is a BadRow if it could not be read."""

    place: str
    value: object


def extract_answer(text: str) -> str | None:
    r"""Return the answer after the last ``####``, else in the last ``\boxed{}``, else a whole short line; None if none."""
    if GSM8K_MARK in text:
        return text.rsplit(GSM8K_MARK, 1)[1].strip() or None
    if "\\boxed" in text:
        return boxed_answer(text)
    whole = text.strip()
    return whole if whole and "\n" not in whole and len(whole) <= MAX_LENGTH else None


def content_id(source: str, question: str, answer: str) -> str:
    """Return an id that depends on source, question and answer only, not on the place in the file."""
    digest = blake2b(f"{question}\x1f{answer}".encode(errors="surrogatepass"), digest_size=6).hexdigest()
    return f"{source}-{digest}"


def parse_problem(value: object, fields: FieldNames, source: str) -> Problem:
    """Return the problem in a row. Raises BadRow."""
    if isinstance(value, BadRow):
        raise value
    if not isinstance(value, dict):
        raise BadRow(f"not an object with the fields {fields.question!r} and {fields.answer!r}: {_quote(value)}")
    question, reference = _read_text(value, fields.question), _read_text(value, fields.answer)
    answer = extract_answer(reference)
    if answer is None:
        raise BadRow(
            f"field {fields.answer!r} has no answer: expected a short text, or a solution with '#### ANSWER' or "
            f"\\boxed{{ANSWER}}, not {_quote(reference)}"
        )
    if len(answer) > MAX_LENGTH:
        raise BadRow(f"the answer in field {fields.answer!r} is {len(answer)} characters long, {MAX_LENGTH} at most")
    given_id = value.get(fields.id)
    if given_id is None:
        return Problem(id=content_id(source, question, answer), question=question, answer=answer, source=source)
    if isinstance(given_id, bool) or not isinstance(given_id, (str, int)) or not str(given_id).strip():
        raise BadRow(f"field {fields.id!r} must be a text or a whole number, not {_quote(given_id)}")
    return Problem(id=str(given_id), question=question, answer=answer, source=source)


@dataclass(frozen=True, slots=True)
class CollectedProblems:
    """Problems in their order. ``skipped`` counts bad rows, ``repeated`` rows without an id that repeat a problem."""

    problems: tuple[Problem, ...]
    skipped: int
    repeated: int


def collect_problems(rows: Iterable[SourceRow], fields: FieldNames, source: str, skip_bad: bool) -> CollectedProblems:
    """Return all problems of ``rows``. A bad row or an id used twice is counted if ``skip_bad``, else a UserError."""
    problems: dict[str, Problem] = {}
    places: dict[str, str] = {}
    skipped = repeated = 0
    for row in rows:
        try:
            problem = parse_problem(row.value, fields, source)
            if problem.id in problems:
                if problem == problems[problem.id] and problem.id == content_id(
                    source, problem.question, problem.answer
                ):
                    repeated += 1
                    continue
                raise BadRow(f"id {problem.id!r} was used before, at {places[problem.id]}; ids must differ")
        except BadRow as error:
            if not skip_bad:
                raise UserError(f"{row.place}: {error}") from error
            skipped += 1
            continue
        problems[problem.id] = problem
        places[problem.id] = row.place
    return CollectedProblems(tuple(problems.values()), skipped, repeated)


def jsonl_rows(path: Path, content: str = "a question and an answer each") -> Iterator[SourceRow]:
    """Yield the rows of a JSON lines file; blank lines are skipped.

    UserError, which names the expected ``content``, if the file cannot be read or is empty.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file; expected JSON lines with {content}")
    if not path.is_file():
        raise UserError(f"{path}: not a file; expected JSON lines with {content}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    if not data.strip():
        raise UserError(f"{path}: the file is empty; expected JSON lines with {content}")
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            yield SourceRow(f"{path}:{number}", _parse_line(line))


def _parse_line(line: bytes) -> object:
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return BadRow("not UTF-8 text; expected one JSON object a line")
    except (ValueError, RecursionError):  # a number of thousands of digits, brackets without end
        return BadRow(f"not JSON; expected one JSON object a line, found {_quote(line.decode('utf-8').strip())}")


def _read_text(row: dict[str, object], field: str) -> str:
    if field not in row:
        present = ", ".join(repr(name) for name in list(row)[:8]) or "none"
        raise BadRow(f"field {field!r} is missing; the fields there are {present}")
    value = row[field]
    if isinstance(value, float) and not math.isfinite(value):
        raise BadRow(f"field {field!r} must be a text or a finite number, not {value}")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise BadRow(f"field {field!r} must be a text or a number, not {_quote(value)}")
    if not value.strip():
        raise BadRow(f"field {field!r} is empty")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise BadRow(f"field {field!r} holds half a surrogate pair, which is no text")
    return value.strip()


def _quote(value: object) -> str:
    text = repr(value)
    return text if len(text) <= QUOTE_LENGTH else text[:QUOTE_LENGTH] + "…"


def hugging_face_rows(name: str, subset: str | None, split: str) -> Iterator[SourceRow]:
    """Yield the rows of ``split``. UserError if there is no such set, subset or split, or it cannot be reached."""
    place = f"{name}[{split}]" if subset is None else f"{name}/{subset}[{split}]"
    try:
        # Imported here: it takes two seconds and half of all runs never touch such a set.
        from datasets import load_dataset
        from datasets.exceptions import DatasetsError
    except ImportError as error:
        raise UserError(f"{place}: the package 'datasets' is not installed; install it or name a JSONL file") from error
    try:
        rows = load_dataset(name, subset, split=split)
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{place}: cannot load this Hugging Face data set: {reason}; check name, subset and split, or name a JSONL file"
        ) from error
    for number, row in enumerate(rows):
        yield SourceRow(f"{place} row {number}", dict(row))
