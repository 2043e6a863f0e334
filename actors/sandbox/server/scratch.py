"""Lend running steps their scratch directories: one each, empty, renamed to a fresh secret name at every use."""

from __future__ import annotations

import os
import secrets
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.sandbox.server.process import Process


class ScratchPool:
    """A fixed number of directories below ``root``. One is free again when its last user is gone and it is empty."""

    def __init__(self, root: str, count: int) -> None:
        self.root = root
        self.counts_files = False  # set once the kernel asks the fork server about every new file
        self.free = [self._secret_path() for _ in range(count)]
        for path in self.free:
            os.mkdir(path, 0o700)

    def _secret_path(self) -> str:
        return os.path.join(self.root, secrets.token_hex(16))

    def acquire(self) -> str:
        """Return an empty directory under a name that no step has seen before."""
        path = self._secret_path()
        os.rename(self.free.pop(), path)
        return path

    def is_untouched(self, user: Process) -> bool:
        """Return True if it is known without looking that no file was ever made: every new file is counted."""
        return self.counts_files and not user.files_created

    def has_files(self, user: Process) -> bool:
        """Return True if its user left files in it, or did something to it that keeps them from being listed."""
        if self.is_untouched(user):
            return False
        try:
            return bool(os.listdir(user.scratch))
        except OSError:
            return True

    def release(self, user: Process) -> None:
        """Take back the directory of a process that is gone, or kept without files. Remove what is left in it."""
        if not user.scratch:
            return
        path, user.scratch = user.scratch, ""
        if self.is_untouched(user):
            self.free.append(path)
            return
        if not is_emptied(
            path
        ):  # only at tier none: removed, moved, or closed to us; what is left ends with the server
            path = self._secret_path()
            os.mkdir(path, 0o700)
        self.free.append(path)


def is_emptied(path: str) -> bool:
    """Remove all that is in a directory. Return True if it is there and empty afterwards."""
    try:
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)
        return not os.path.islink(path) and not os.listdir(path)
    except OSError:
        return False
