"""Dataclasses to lines of JSON and back, checked field by field; and a faster pickle for small records."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from search.errors import UserError

Record = TypeVar("Record")


@cache
def _adapter(cls: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


def dump(record: object) -> str:
    """Return a dataclass instance as one line of JSON."""
    return _adapter(type(record)).dump_json(record).decode()  # type: ignore[arg-type]


def load(cls: type[Record], line: str | bytes) -> Record:
    """Return the record of type ``cls`` in a line of JSON. Raises pydantic.ValidationError, which names the field."""
    return _adapter(cls).validate_json(line)  # type: ignore[no-any-return, arg-type]


def load_value(cls: type[Record], value: object) -> Record:
    """Return the record of type ``cls`` in plain data, as JSON has it. Raises pydantic.ValidationError."""
    return _adapter(cls).validate_python(value)  # type: ignore[no-any-return, arg-type]


def fast_pickle(record: type[Record]) -> type[Record]:
    """Make a dataclass of two or more fields pickle as a positional call of itself. Put it above ``@dataclass``.

    This takes half the time and half the bytes of the default for slotted dataclasses. The record cannot be keyword-only:
    a call with names would cost the gain again.
    """
    get_values = attrgetter(*(field.name for field in fields(record)))  # type: ignore[arg-type]

    def reduce(self: Record) -> tuple[type[Record], tuple[Any, ...]]:
        return record, get_values(self)

    record.__reduce__ = reduce  # type: ignore[method-assign, assignment]
    return record


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, empty if there is no file or no object. Raises UserError if it is not JSON."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    return content if isinstance(content, dict) else {}
