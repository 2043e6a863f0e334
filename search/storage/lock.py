"""Exclusive locks between processes that name their holder."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from search.errors import UserError

POLL_S = 0.05  # seconds between two attempts
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)  # what a file system without locks answers


class ProcessLock:
    """A lock file with the process id of its holder; a context manager.

    The file is locked by flock, which the system releases when the holder ends, however it ends: a lock file that a
    killed process left behind is taken over. Releasing the lock removes the file.

    If another holder keeps the lock for more than ``wait`` seconds, ``acquire`` raises UserError: ``claim`` followed by
    "by process 4711: end it first", for a ``claim`` such as "runs/x is in use". Two locks of one process exclude each
    other too. On a file system without locks every process gets the lock: the user was warned at the run's start.
    """

    def __init__(self, path: Path, claim: str, wait: float = 0.0) -> None:
        self.path, self.claim, self.wait = path, claim, wait
        self._file: TextIO | None = None

    def acquire(self) -> None:
        """Take the lock. Raises UserError if another holder keeps it."""
        deadline = time.monotonic() + self.wait
        while self._file is None:
            file = self.path.open("a+", encoding="utf-8")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = _holder(file)
                file.close()
                if time.monotonic() >= deadline:
                    raise UserError(f"{self.claim} by process {holder}: end it first") from error
                time.sleep(POLL_S)
                continue
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    file.close()
                    raise
            if not _is_at(self.path, file):  # the last holder removed this file between open and flock
                file.close()
                continue
            file.truncate(0)
            file.write(f"{os.getpid()} on {os.uname().nodename}")
            file.flush()
            self._file = file

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if self._file is not None:
            self.path.unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _holder(file: TextIO) -> str:
    """Return the process id in a lock file, and its host unless that is this one."""
    file.seek(0)
    pid, _, host = file.read().strip().partition(" on ")
    return f"{pid or '?'} on {host}" if host not in ("", os.uname().nodename) else pid or "?"


def _is_at(path: Path, file: TextIO) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
