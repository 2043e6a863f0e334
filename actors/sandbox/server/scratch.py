"""The scratch directories that running steps get, one each, empty, renamed to a fresh secret name at every use."""

from __future__ import annotations

import os
import secrets
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.sandbox.server.process import Process


class Slots:
    """A fixed number of directories below ``root``. A slot is free again when its last user is gone and it is empty."""

    def __init__(self, root: str, count: int) -> None:
        self.root = root
        self.asked_for = False  # set once the kernel asks the warden about every new file
        self.free = [self._fresh() for _ in range(count)]
        for path in self.free:
            os.mkdir(path, 0o700)

    def _fresh(self) -> str:
        return os.path.join(self.root, secrets.token_hex(16))

    def take(self) -> str:
        """An empty directory under a name that nothing has seen before."""
        name = self._fresh()
        os.rename(self.free.pop(), name)
        return name

    def untouched(self, user: Process) -> bool:
        """Whether nothing was ever made in it: known without looking where every new file is asked for."""
        return self.asked_for and not user.files

    def used(self, user: Process) -> bool:
        """Whether its user left files in it."""
        return not self.untouched(user) and bool(os.listdir(user.slot))

    def give(self, user: Process) -> None:
        """Take the slot of a process that is gone or kept without files; what is left in it is removed."""
        if not user.slot:
            return
        slot, user.slot = user.slot, ""
        if self.untouched(user):
            self.free.append(slot)
            return
        for entry in os.scandir(slot):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)
        if os.listdir(slot):  # only without a sandbox: a directory that we may not empty is left for the end
            slot = self._fresh()
            os.mkdir(slot, 0o700)
        self.free.append(slot)
