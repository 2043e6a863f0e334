"""Compare the trees that a search's workers reported with those that the driver finds in its directory.

A summary travels by Ray, the tree by the file system. On storage that not all nodes share, or on a node that was lost
before its last lines were on the disk, a tree is reported and never stored.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from pathlib import Path

from search.errors import UserError
from search.storage.tree_store import finished_keys
from search.tree import TreeKey, tree_name

POLL_S = 0.5  # seconds between two looks at the directory
VISIBLE_S = 60.0  # seconds that a file written on another node may take to be seen here: NFS keeps a listing that long


def missing_trees(directory: Path, reported: Collection[TreeKey], visible_s: float = VISIBLE_S) -> set[TreeKey]:
    """Return the reported trees that are not stored in ``directory``, also after ``visible_s`` seconds.

    It returns at once when none is missing.
    """
    deadline = time.monotonic() + visible_s
    while (missing := set(reported) - finished_keys(directory)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return missing


def describe_missing(missing: Collection[TreeKey], reported: int, directory: Path) -> str:
    """Return how many of the ``reported`` trees are not stored, and the first of them."""
    first = tree_name(*min(missing))
    return f"{len(missing)} of {reported} trees that workers reported are not in {directory}, the first is {first}"


def require_trees(label: str, problems: int, trees: int, quarantined: Mapping[TreeKey, str]) -> None:
    """Raise UserError if a search of ``problems`` problems has no tree at all: its stage is not finished then."""
    if trees or not problems:
        return
    reason = (
        f"the search gave up all of them, the first because: {min(quarantined.items())[1]}"
        if quarantined
        else ("its workers stored none")
    )
    raise UserError(f"{label}: no tree of {problems} problem{'s' if problems > 1 else ''}: {reason}")
