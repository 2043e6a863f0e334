"""Records to JSON lines and back, checked field by field. Knows any dataclass of the house, and no file layout."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

from pydantic import TypeAdapter

Record = TypeVar("Record")


@cache
def _adapter(cls: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


def dump(record: object) -> str:
    """One line of JSON."""
    return _adapter(type(record)).dump_json(record).decode()  # type: ignore[arg-type]


def load(cls: type[Record], line: str | bytes) -> Record:
    """The record in one line of JSON. Raises pydantic.ValidationError (a ValueError) that names the field."""
    return _adapter(cls).validate_json(line)  # type: ignore[no-any-return, arg-type]


def fast_pickle(record: type[Record]) -> type[Record]:
    """A decorator for dataclasses of two fields or more; stands above ``dataclass``."""
    values = attrgetter(*(field.name for field in fields(record)))  # type: ignore[arg-type]

    def as_call(self: Record) -> tuple[type[Record], tuple[Any, ...]]:
        return record, values(self)

    record.__reduce__ = as_call  # type: ignore[method-assign, assignment]
    return record
