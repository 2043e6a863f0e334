"""Files and directories that appear complete or not at all, also after a crash or a power cut.

Each is written to a temporary sibling, forced to the disk and renamed; then the parent directory is forced to the disk.
A killed process leaves the sibling behind: a hidden name that ends in ``.tmp``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


def write_text(path: Path, text: str) -> None:
    """Write a text file. A reader sees the old text or the new one, never a part."""
    with open_atomic(path) as file:
        file.write(text)


@contextmanager
def open_atomic(path: Path) -> Iterator[TextIO]:
    """Yield a text file that appears at ``path`` when the block ends without an exception."""
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        yield file


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a path to write a file to; the file appears at ``path`` when the block ends without an exception."""
    temporary = _temporary(path)
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield an empty directory to fill; it appears at ``path`` when the block ends without an exception.

    If another process has filled ``path`` meanwhile, its directory is kept and this one removed.
    """
    temporary = _temporary(path)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        try:
            publish_directory(temporary, path)
        except OSError:
            if not path.exists():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def publish_directory(source: Path, path: Path) -> None:
    """Force a directory with all its files to the disk and rename it. Raises OSError if ``path`` exists and is not empty."""
    for directory, _, names in os.walk(source):
        for file in (Path(directory, name) for name in names):
            if file.is_file():
                _sync(file)
        sync_directory(Path(directory))
    source.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Force the names in a directory to the disk, so that files created or renamed there survive a power cut."""
    _sync(directory)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
