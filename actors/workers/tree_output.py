"""Where a search worker's trees go: a file in the search's directory, or segments that it uploads to an object store.

run in a directory    one file a worker, on storage that the driver shares
run in a store        segments on the worker's own disk; every UPLOAD_S seconds, and at the end of the job, the present
                      one is finished and uploaded, so a lost host takes the trees of UPLOAD_S seconds with it
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from search.errors import UserError
from search.storage.object_store import ObjectStore
from search.storage.segments import SegmentWriter
from search.storage.tree_store import TreeWriter, worker_file
from search.tree import Tree

UPLOAD_S = 60.0
RETRY_S = (1.0, 4.0, 15.0)  # pauses before an upload at the end of a job is tried again
SYNC_EVERY = 16  # trees between two fsyncs; a killed process loses none of them


class TreeOutput:
    """Stores the trees of one job of a worker. Call ``close`` at the end of the job."""

    def __init__(self, directory: Path, worker: int, store: ObjectStore | None) -> None:
        self._store = store
        self._segments: list[Path] = []  # finished, not uploaded yet
        self._writer: TreeWriter | SegmentWriter
        self._uploads: asyncio.Task[None] | None = None
        if store is None:
            self._writer = TreeWriter(worker_file(directory, worker), SYNC_EVERY)
        else:
            directory.mkdir(parents=True, exist_ok=True)  # on this machine's disk
            self._writer = SegmentWriter(directory, worker, SYNC_EVERY)
            self._uploads = asyncio.ensure_future(self._upload_regularly())

    def append(self, tree: Tree) -> None:
        """Store a finished tree."""
        self._writer.append(tree)

    async def close(self) -> None:
        """Store everything for good. Raises UserError if the object store refuses it."""
        if self._uploads is not None:
            self._uploads.cancel()
            with suppress(asyncio.CancelledError):
                await self._uploads
        for pause in (*RETRY_S, None):
            try:
                await self.upload()
                break
            except UserError:
                if pause is None:
                    raise
                await asyncio.sleep(pause)
        self._writer.close()

    async def upload(self) -> None:
        """Upload the trees since the last upload, and segments whose upload failed. Raises UserError."""
        if self._store is None or not isinstance(self._writer, SegmentWriter):
            return
        if (segment := self._writer.finish_segment()) is not None:
            self._segments.append(segment)
        while self._segments:
            await asyncio.to_thread(self._store.upload, self._segments[0])
            self._segments.pop(0).unlink(missing_ok=True)  # the driver downloads it from the store

    async def _upload_regularly(self) -> None:
        while True:
            await asyncio.sleep(UPLOAD_S)
            with suppress(UserError):  # the next time uploads it too; the last time tells
                await self.upload()
