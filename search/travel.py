"""Records that travel between processes by the thousand.

Python looks up the fields of a frozen dataclass with slots each time that it pickles or reads one. Here they are looked
up once: a record is pickled as a call of its class.
"""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import Any, TypeVar

Record = TypeVar("Record")


def travels(record: type[Record]) -> type[Record]:
    """A decorator for dataclasses of two fields or more; stands above ``dataclass``."""
    values = attrgetter(*(field.name for field in fields(record)))  # type: ignore[arg-type]

    def as_call(self: Record) -> tuple[type[Record], tuple[Any, ...]]:
        return record, values(self)

    record.__reduce__ = as_call  # type: ignore[method-assign, assignment]
    return record
