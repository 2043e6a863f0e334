"""Mark a directory with an identity, so that a process on another machine can tell it from one of the same name.

The driver of a search writes the mark. A worker whose machine has a directory of that path on a disk of its own does not
find the mark there, and must not write into it: nobody would ever read what it wrote.
"""

from __future__ import annotations

import platform
import time
from pathlib import Path

from search.errors import UserError
from search.storage.files import write_text

MARK = ".search"  # the file; hidden files belong to no stage
POLL_S = 0.2  # seconds between two looks at the mark
# Seconds that a mark may take to be seen on another machine: network file systems keep names and attributes that long.
VISIBLE_S = 30.0


class ForeignDirectory(UserError):
    """A directory that is not the one that the mark was written into."""


def write_mark(directory: Path, identity: str) -> None:
    """Mark an existing directory. An older mark is replaced."""
    write_text(directory / MARK, identity)


def read_mark(directory: Path) -> str | None:
    """Return the identity that a directory is marked with, None if it is not there or has no mark."""
    try:
        return (directory / MARK).read_text(encoding="utf-8")
    except OSError:
        return None


def check_mark(directory: Path, identity: str, reader: str, visible_s: float = VISIBLE_S) -> None:
    """Return once the directory has the mark; raise ForeignDirectory if it has not after ``visible_s`` seconds.

    ``reader``: who asks, for the message.
    """
    deadline = time.monotonic() + visible_s
    while (stored := read_mark(directory)) != identity:
        if time.monotonic() >= deadline:
            fault = (
                "is not there" if not directory.is_dir() else "is another one" if stored else "lacks the driver's mark"
            )
            raise ForeignDirectory(
                f"{reader} on {platform.node()} refuses to write into {directory}: it {fault}; "
                "the run directory must be on storage that all nodes reach"
            )
        time.sleep(POLL_S)
