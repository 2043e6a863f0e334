"""Finished trees on disk: append-only JSON lines, one file per worker.

A directory holds the trees of one search, each of another problem or with another number (``Tree.key``). A tree is stored
once its line, newline included, is in the file. Text after the last newline was torn by a crash: readers
skip it and the next writer cuts it off.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from search import serialization
from search.errors import UserError
from search.storage.files import sync_directory
from search.storage.lock import ProcessLock
from search.storage.schema import SCHEMA_KEY, SCHEMA_VERSION, UNVERSIONED, check_schema
from search.tree import Tree, TreeKey

PATTERN = "trees-*.jsonl"
BLOCK = 1 << 16  # bytes read at a time in the search for the last newline, from the end
# Records are written in the order of their fields, so that a line starts with the schema version, the tree's number (left
# out if it is 0) and the problem's id.
LINE_START = f'{{"{SCHEMA_KEY}":{SCHEMA_VERSION},'
VERSION_PREFIX = re.compile(rb'\{(?:"schema":(\d+),|"problem":\{)')  # the second alternative: lines of version 1
KEY_PREFIX = re.compile(rb'\{"schema":\d+,(?:"number":(\d+),)?"problem":\{"id":("(?:[^"\\]|\\.)*")')


class CorruptStore(UserError):
    """A complete line that is not a tree of the directory's search. The message names file and line."""


def worker_file(directory: Path, worker: int | str) -> Path:
    """Return the file of a worker's trees, ``directory/trees-<worker>.jsonl``."""
    return directory / f"trees-{worker}.jsonl"


def writer_lock(path: Path, wait: float = 30.0) -> ProcessLock:
    """Return the lock of a file's only writer."""
    return ProcessLock(path.with_name(f".{path.name}.lock"), f"{path} is being written", wait)


class TreeWriter:
    """Appends trees to a file; a context manager. One writer at a time may hold a file.

    ``sync_every`` is the number of trees after which the file is forced to the disk: 1 survives a power cut after every
    tree, 0 syncs on close only. Lines are handed to the system at once, so a killed process loses none either way.
    Opening cuts off a torn last line. Raises UserError if another writer holds the file for more than ``wait`` seconds.
    """

    def __init__(self, path: Path, sync_every: int = 1, wait: float = 30.0) -> None:
        self.path = path
        self.sync_every = sync_every
        self._unsynced = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = writer_lock(path, wait)
        self._lock.acquire()
        try:
            self._file = path.open("a+b", buffering=0)
            _cut_torn_line(self._file.fileno())
            sync_directory(path.parent)
        except BaseException:
            self._lock.release()
            raise

    def append(self, tree: Tree) -> None:
        """Store a finished tree. After an OSError (disk full) the file contains no part of it."""
        line = memoryview(format_line(tree).encode())
        before = os.fstat(self._file.fileno()).st_size
        try:
            while line:  # a raw write may write only a part
                line = line[self._file.write(line) :]
        except OSError:
            os.ftruncate(self._file.fileno(), before)
            raise
        self._unsynced += 1
        if self.sync_every and self._unsynced >= self.sync_every:
            self.sync()

    def sync(self) -> None:
        """Force the file to the disk."""
        os.fsync(self._file.fileno())
        self._unsynced = 0

    def close(self) -> None:
        """Force the file to the disk and release it."""
        if not self._file.closed:
            try:
                self.sync()
            finally:
                self._file.close()
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def format_line(tree: Tree) -> str:
    """Return the tree's line: its JSON object with the schema version before its fields."""
    return f"{LINE_START}{serialization.dump(tree).removeprefix('{')}\n"


def read_trees(path: Path, repeats: Counter[TreeKey] | None = None) -> Iterator[Tree]:
    """Yield the trees of a file, or of a directory's ``trees-*.jsonl`` in the order of their names.

    A problem has as many trees as numbers. Of several trees with one key and seed, which are the same search stored twice,
    only the first is yielded; the others are counted in ``repeats``. Raises FileNotFoundError if there is no such path,
    CorruptStore for a complete line that is not a tree or whose key was another seed's, and UserError for a line of
    another schema version.
    """
    seeds: dict[TreeKey, int] = {}
    for file in tree_files(path):
        for number, line in read_lines(file):
            try:
                tree = serialization.load(Tree, line)
            except ValueError as error:
                reason = " ".join(str(error).split())[:200]
                raise CorruptStore(f"{file}:{number}: not a tree: {reason}") from error
            if tree.key not in seeds:
                seeds[tree.key] = tree.seed
                yield tree
            elif seeds[tree.key] != tree.seed:
                raise CorruptStore(
                    f"{file}:{number}: a second tree of problem {tree.name} (seeds {seeds[tree.key]} and {tree.seed}): keep "
                    "the trees of two searches in two directories"
                )
            elif repeats is not None:
                repeats[tree.key] += 1


def finished_keys(path: Path) -> set[TreeKey]:
    """Return the keys of the stored trees; empty if there is no such path. Does not parse whole trees.

    Raises CorruptStore for a complete line that cannot be a tree, UserError for one of another schema version.
    """
    if not path.exists():
        return set()
    return {_key(line, file, number) for file in tree_files(path) for number, line in read_lines(file)}


def _key(line: bytes, file: Path, number: int) -> TreeKey:
    match = KEY_PREFIX.match(line)
    if match is None or not line.endswith(b"}\n"):
        raise CorruptStore(f'{file}:{number}: not a tree: the line should be {LINE_START}"problem":{{"id":…}},…}}')
    return str(json.loads(match[2])), int(match[1] or 0)


def tree_files(path: Path) -> list[Path]:
    """Return the file, or the tree files of the directory in the order of their names."""
    if path.is_dir():
        return sorted(path.glob(PATTERN))
    if not path.exists():
        raise FileNotFoundError(f"no trees at {path}")
    return [path]


def read_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the complete lines of a file with their numbers from 1."""
    with file.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if line.endswith(b"\n"):
                if version := VERSION_PREFIX.match(line):
                    check_schema(f"{file}:{number}", int(version[1] or UNVERSIONED), "grow the trees again")
                yield number, line


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
