"""Finished trees on disk: append-only JSON lines, one file a worker. Knows files and crashes, not how trees are grown.

A tree is stored once its line, newline included, is in the file. Whatever follows the last newline was torn by a crash:
readers pass over it and the next writer cuts it off.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from search import serialization
from search.tree import Tree

PATTERN = "trees-*.jsonl"
BLOCK = 1 << 16  # bytes read at a time when looking backwards for the last newline
LOCK_POLL = 0.05  # seconds between two tries for the lock
# Records are written in the order of their fields, so that a tree's line starts with its problem's id.
ID_PREFIX = re.compile(rb'\{"problem":\{"id":("(?:[^"\\]|\\.)*")')


class CorruptStore(ValueError):
    """A line that is complete but is no tree; the message names file and line."""


class StoreInUse(RuntimeError):
    """Another process still writes to the file."""


def worker_file(directory: Path, worker: int | str) -> Path:
    """Where a worker keeps its trees: ``directory/trees-<worker>.jsonl``."""
    return directory / f"trees-{worker}.jsonl"


class TreeWriter:
    """Appends trees to one file; a context manager. One process at a time may hold a file.

    ``sync_every`` is the number of trees after which the file is forced to the disk: 1 survives a power cut after every
    tree, 0 syncs at close only. A killed process loses nothing either way, each line is handed to the system at once.
    Opening cuts off a torn last line. Raises StoreInUse if another process holds the file for more than ``wait`` seconds.
    """

    def __init__(self, path: Path, sync_every: int = 1, wait: float = 30.0) -> None:
        self.path = path
        self.sync_every = sync_every
        self._unsynced = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b", buffering=0)
        try:
            _lock(self._file.fileno(), path, wait)
            _cut_torn_line(self._file.fileno())
            _sync_directory(path.parent)
        except BaseException:
            self._file.close()
            raise

    def append(self, tree: Tree) -> None:
        """Store a finished tree. After an OSError (disk full) the file holds no part of it."""
        line = memoryview((serialization.dump(tree) + "\n").encode())
        before = os.fstat(self._file.fileno()).st_size
        try:
            while line:  # a raw write may take less than it was given
                line = line[self._file.write(line) :]
        except OSError:
            os.ftruncate(self._file.fileno(), before)
            raise
        self._unsynced += 1
        if self.sync_every and self._unsynced >= self.sync_every:
            self.sync()

    def sync(self) -> None:
        """Force what was written to the disk."""
        os.fsync(self._file.fileno())
        self._unsynced = 0

    def close(self) -> None:
        if not self._file.closed:
            self.sync()
            self._file.close()  # gives the lock back

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_trees(path: Path) -> Iterator[Tree]:
    """The trees in a file, or in all of a directory's ``trees-*.jsonl`` by file name, one at a time.

    Of several trees for one problem only the first is given. Raises FileNotFoundError for a path that is not there and
    CorruptStore for a complete line that is no tree.
    """
    seen: set[str] = set()
    for file in _files(path):
        for number, line in _lines(file):
            try:
                tree = serialization.load(Tree, line)
            except ValueError as error:
                reason = " ".join(str(error).split())[:200]
                raise CorruptStore(f"{file}:{number}: not a tree: {reason}") from error
            if tree.problem.id not in seen:
                seen.add(tree.problem.id)
                yield tree


def finished_ids(path: Path) -> set[str]:
    """Ids of the problems whose tree is stored, empty for a path that is not there. Reads ids only, not whole trees.

    Raises CorruptStore for a complete line that cannot be a tree.
    """
    if not path.exists():
        return set()
    return {_problem_id(line, file, number) for file in _files(path) for number, line in _lines(file)}


def _problem_id(line: bytes, file: Path, number: int) -> str:
    found = ID_PREFIX.match(line)
    if found is None or not line.endswith(b"}\n"):
        raise CorruptStore(f'{file}:{number}: not a tree: the line should be {{"problem":{{"id":…}},…}}')
    return str(json.loads(found.group(1)))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(path.glob(PATTERN))
    if not path.exists():
        raise FileNotFoundError(f"no trees at {path}")
    return [path]


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Complete lines with their numbers from 1; a torn last one is left out."""
    with file.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if line.endswith(b"\n"):
                yield number, line


def _lock(descriptor: int, path: Path, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise StoreInUse(
                    f"{path}: another process has been writing to it for {wait:g} s; end that run first"
                ) from None
            time.sleep(LOCK_POLL)


def _cut_torn_line(descriptor: int) -> None:
    """Shorten the file to its last newline."""
    size = position = os.fstat(descriptor).st_size
    while position > 0:
        start = max(0, position - BLOCK)
        newline = os.pread(descriptor, position - start, start).rfind(b"\n")
        if newline >= 0:
            position = start + newline + 1
            break
        position = start
    if position < size:
        os.ftruncate(descriptor, position)


def _sync_directory(directory: Path) -> None:
    """A new file's name survives a power cut only once its directory is on the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
