"""Answers the kernel when a confined process asks for a fork, a thread or a new file (seccomp user notification).

Knows how to ask and answer; who may have what is decided by the function it is given.
"""

from __future__ import annotations

import errno
import fcntl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from actors.sandbox import linux

REQUEST = struct.Struct("=QIIiIQ6Q")  # id, pid, flags; number, architecture, instruction pointer, arguments
RESPONSE = struct.Struct("=QqiI")  # id, value, error, flags


class SyscallRequest(Enum):
    """What a process asks for."""

    FORK = auto()
    THREAD = auto()
    FILE = auto()


@dataclass(frozen=True, slots=True)
class Asked:
    """A thread (by its id) and its wish."""

    thread: int
    wish: SyscallRequest


Decide = Callable[[Asked], int]  # 0: granted; else the errno that the caller sees


class SeccompNotifier:
    """The descriptor on which wishes arrive."""

    def __init__(self, descriptor: int, decide: Decide) -> None:
        self.descriptor = descriptor
        self.decide = decide
        self.numbers = linux.numbers()
        try:
            fcntl.ioctl(descriptor, linux.NOTIFY_SET_FLAGS, linux.NOTIFY_SYNC_WAKE_UP)
        except OSError:  # kernels before 6.6: a little slower
            pass

    def answer(self) -> None:
        """Take one wish and answer it. A wish whose process has died meanwhile is dropped."""
        buffer = bytearray(REQUEST.size)
        try:
            fcntl.ioctl(self.descriptor, linux.NOTIFY_RECEIVE, buffer, True)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):
                return
            raise
        identity, thread, _, number, _, _, *arguments = REQUEST.unpack(buffer)
        refusal = self.decide(Asked(thread, self._wish(number, arguments)))
        flags = 0 if refusal else linux.NOTIFY_CONTINUE
        response = bytearray(RESPONSE.pack(identity, 0, -refusal, flags))
        try:
            fcntl.ioctl(self.descriptor, linux.NOTIFY_RESPOND, response, True)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def _wish(self, number: int, arguments: list[int]) -> SyscallRequest:
        if number == self.numbers.openat:
            return SyscallRequest.FILE
        return SyscallRequest.THREAD if arguments[0] & linux.CLONE_THREAD else SyscallRequest.FORK


def group_of(thread: int) -> int:
    """The process that a thread belongs to; 0 when it is gone."""
    try:
        with open(f"/proc/{thread}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("Tgid:"))
    except (OSError, StopIteration):
        return 0


def threads_of(pid: int) -> int:
    """How many threads a process has; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("Threads:"))
    except (OSError, StopIteration):
        return 0
