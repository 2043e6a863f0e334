"""Trees in segments: files of one writer each, that are finished one after the other and never change afterwards.

An object store cannot append to an object. So a worker's trees go to a small file on its own disk, and each time they
are to be uploaded that file is finished and the next tree begins another one. A segment is a file of trees like any
other (``tree_store``): readers need not tell them apart. Its name says who wrote it: ``trees-WORKER-INCARNATION-NUMBER.jsonl``.
"""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from search.storage.tree_store import TreeWriter, worker_file
from search.tree import Tree


class SegmentWriter:
    """Appends trees to segments in a directory. ``worker``: its name. No two writers ever share a segment.

    ``sync_every``: as of TreeWriter.
    """

    def __init__(self, directory: Path, worker: int | str, sync_every: int = 1) -> None:
        self._directory, self._sync_every = directory, sync_every
        self._name = f"{worker}-{uuid4().hex[:8]}"
        self._number = 0
        self._writer: TreeWriter | None = None

    def append(self, tree: Tree) -> None:
        """Store a finished tree in the present segment."""
        if self._writer is None:
            path = worker_file(self._directory, f"{self._name}-{self._number:04d}")
            self._writer = TreeWriter(path, self._sync_every)
        self._writer.append(tree)

    def finish_segment(self) -> Path | None:
        """Finish the present segment and return its file; None if there is no tree since the last one."""
        if self._writer is None:
            return None
        self._writer.close()
        path, self._writer = self._writer.path, None
        self._number += 1
        return path

    def close(self) -> None:
        """Finish the present segment."""
        self.finish_segment()
