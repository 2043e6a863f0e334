"""Answer the kernel when a confined process wants a fork, a thread or a new file (seccomp user notification)."""

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


class SyscallKind(Enum):
    """What a system call would create."""

    FORK = auto()
    THREAD = auto()
    FILE = auto()


@dataclass(frozen=True, slots=True)
class SyscallRequest:
    """A system call that waits for permission, and the id of the thread that made it."""

    thread: int
    kind: SyscallKind


Decide = Callable[[SyscallRequest], int]  # 0: granted; else the errno that the caller sees


class SeccompNotifier:
    """The descriptor on which the kernel reports requests. ``decide`` says who may have what."""

    def __init__(self, descriptor: int, decide: Decide) -> None:
        self.descriptor = descriptor
        self.decide = decide
        self.numbers = linux.syscall_numbers()
        try:
            fcntl.ioctl(descriptor, linux.NOTIFY_SET_FLAGS, linux.NOTIFY_SYNC_WAKE_UP)
        except OSError:  # kernels before 6.6: a little slower
            pass

    def answer(self) -> None:
        """Receive one request and answer it. A request whose process has died meanwhile is dropped."""
        buffer = bytearray(REQUEST.size)
        try:
            fcntl.ioctl(self.descriptor, linux.NOTIFY_RECEIVE, buffer, True)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):
                return
            raise
        request_id, thread, _, number, _, _, *arguments = REQUEST.unpack(buffer)
        refusal = self.decide(SyscallRequest(thread, self._kind(number, arguments)))
        flags = 0 if refusal else linux.NOTIFY_CONTINUE
        response = bytearray(RESPONSE.pack(request_id, 0, -refusal, flags))
        try:
            fcntl.ioctl(self.descriptor, linux.NOTIFY_RESPOND, response, True)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def _kind(self, number: int, arguments: list[int]) -> SyscallKind:
        if number == self.numbers.openat:
            return SyscallKind.FILE
        return SyscallKind.THREAD if arguments[0] & linux.CLONE_THREAD else SyscallKind.FORK


def process_of(thread: int) -> int:
    """Return the pid of the process that a thread belongs to, or 0 when it is gone."""
    try:
        return read_status(thread, b"Tgid:")
    except (OSError, StopIteration):
        return 0


def count_threads(pid: int) -> int:
    """Return the number of threads of a process, or 0 when it is gone."""
    try:
        return read_status(pid, b"Threads:")
    except (OSError, StopIteration):
        return 0


def read_status(pid: int, field: bytes) -> int:
    """Return a number of ``/proc/PID/status``. Raise OSError or StopIteration where there is none.

    The file is read as bytes: its first line is the process's name, which a step chooses freely.
    """
    with open(f"/proc/{pid}/status", "rb") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))
