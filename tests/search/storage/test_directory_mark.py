"""A marked directory is told from another one of the same name."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from search.storage.directory_mark import ForeignDirectory, check_mark, read_mark, write_mark


def test_marked_directory_is_accepted(tmp_path: Path) -> None:
    write_mark(tmp_path, "a")
    check_mark(tmp_path, "a", "search-0", visible_s=0)
    write_mark(tmp_path, "b")  # the next search
    check_mark(tmp_path, "b", "search-0", visible_s=0)
    assert read_mark(tmp_path) == "b"


@pytest.mark.parametrize(
    ("mark", "fault"), [("", "lacks the driver's mark"), ("other", "is another one"), (None, "is not there")]
)
def test_other_directory_is_refused_and_not_made(tmp_path: Path, mark: str | None, fault: str) -> None:
    directory = tmp_path / "search.partial"
    if mark is not None:
        directory.mkdir()
        if mark:
            write_mark(directory, mark)
    with pytest.raises(ForeignDirectory, match=f"search-3 on .* refuses to write into .*: it {fault}"):
        check_mark(directory, "mine", "search-3", visible_s=0)
    assert directory.exists() == (mark is not None)


def test_mark_may_be_seen_late(tmp_path: Path) -> None:
    writer = threading.Timer(0.3, write_mark, (tmp_path, "a"))
    writer.start()
    check_mark(tmp_path, "a", "search-0", visible_s=60)
    writer.join()
