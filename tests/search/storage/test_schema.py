"""The schema version: one number for all that is stored, and one line that refuses another."""

from __future__ import annotations

import pytest

from search.errors import UserError
from search.storage.schema import SCHEMA_VERSION, UNVERSIONED, check_schema


def test_current_version_passes() -> None:
    assert SCHEMA_VERSION == 3
    check_schema("runs/x", SCHEMA_VERSION)


@pytest.mark.parametrize(("version", "age"), [(UNVERSIONED, "older"), (4, "newer"), ("two", "older"), (None, "older")])
def test_other_version_is_refused_with_both_numbers_and_advice(version: object, age: str) -> None:
    message = (
        f"^runs/x has schema version {version}, this RayStar reads and writes version 3: "
        f"choose another --name, or use the {age} RayStar that wrote it$"
    )
    with pytest.raises(UserError, match=message):
        check_schema("runs/x", version, "choose another --name")
