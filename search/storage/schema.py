"""Name the schema version of everything that a run stores, and refuse any other version."""

from __future__ import annotations

from search.errors import UserError

# The version of run directories, lines of stored trees and exported model directories, written into each of them.
# Raise it when this code can no longer read what was stored before.
SCHEMA_VERSION = 3
SCHEMA_KEY = "schema"
UNVERSIONED = 1  # the version of stored trees and models that name none


def check_schema(place: object, version: object, advice: str = "make it again") -> None:
    """Raise UserError unless ``version`` is SCHEMA_VERSION.

    ``place`` names the file or directory that was read, ``advice`` what the user can do instead of changing versions.
    """
    if version == SCHEMA_VERSION:
        return
    age = "newer" if isinstance(version, int) and version > SCHEMA_VERSION else "older"
    raise UserError(
        f"{place} has schema version {version}, this RayStar reads and writes version {SCHEMA_VERSION}: "
        f"{advice}, or use the {age} RayStar that wrote it"
    )
