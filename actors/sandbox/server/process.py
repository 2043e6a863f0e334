"""One interpreter as the warden sees it: zygote, running step or kept state. Trusts nothing that it writes.

Its pid comes from the kernel (credentials on its first byte), its death from a pidfd, its descriptors, threads and
working directory from /proc.
"""

from __future__ import annotations

import array
import os
import resource
import signal
import socket
import struct
import time
from dataclasses import dataclass, field
from enum import Enum, auto

from actors.sandbox.jail.zygote import FORKED, HELLO, NEUTRAL
from actors.sandbox.limits import Limits

PAGE_MIB = resource.getpagesize() / 2**20
PROCESS_CLOCK = 2  # of another process: a clock's number is made from the pid (clock_getcpuclockid(3))
EXTENSIONS = 9  # of the wall clock
SHORTEST_SECONDS = 0.01  # between two looks at a step's processor time
CREDENTIALS = struct.Struct("iii")


class Phase(Enum):
    """Where a process stands."""

    STARTING = auto()  # ordered, has not spoken yet
    RUNNING = auto()
    IDLE = auto()  # a state: waits for orders to fork
    DOOMED = auto()  # killed, not reaped yet


class Violation(Exception):
    """A process wrote on its descriptor what no honest one writes."""


@dataclass(eq=False)
class Process:
    """A process and the warden's end of its socket. ``cost_mib`` is an upper estimate of the memory it alone holds."""

    sock: socket.socket
    key: bytes
    phase: Phase = Phase.STARTING
    pid: int = 0
    pidfd: int = -1
    token: bytes = b""
    deadline: float = 0.0  # when it must be looked at
    end_by: float = 0.0  # when its wall clock runs out
    cpu_limit: float = 0.0
    inbox: bytearray = field(default_factory=bytearray)
    outbox: bytearray = field(default_factory=bytearray)
    forks: int = 0  # orders to fork that it has not confirmed
    grants: int = 0  # orders to fork that the kernel has not asked about yet
    files: int = 0  # files that it has created
    extensions: int = 0  # of its deadline
    own_group: bool = False  # it leads a process group, which ends with it
    frozen: bool = False
    slot: str = ""  # its scratch directory while it runs
    cost_mib: float = 0.0
    status: int = 0  # exit status once reaped, as os.waitpid gives it

    def order_fork(self, child_end: socket.socket) -> None:
        """Tell it to fork a child that speaks on ``child_end``. OSError when it is dead."""
        self.thaw()
        self.sock.sendmsg([b"f"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [child_end.fileno()]))])
        self.forks += 1
        self.grants += 1

    def flush(self) -> bool:
        """Write what waits to be written; True when nothing is left."""
        while self.outbox:
            try:
                sent = self.sock.send(self.outbox)
            except BlockingIOError:
                return False
            except OSError:  # it died: its pidfd tells
                self.outbox.clear()
                return True
            del self.outbox[:sent]
        return True

    def read(self, limit: int) -> bool:
        """Take what it wrote into ``inbox``; True when it has closed its end. Violation beyond ``limit`` bytes."""
        while True:
            try:
                if self.pid:
                    data = self.sock.recv(65_536)
                else:
                    data = self._first_read()
            except BlockingIOError:
                return False
            except ConnectionError:
                return True
            if not data:
                return True
            self.inbox += data
            if len(self.inbox) > limit:
                raise Violation("too many bytes")

    def _first_read(self) -> bytes:
        data, ancillary, _, _ = self.sock.recvmsg(65_536, socket.CMSG_SPACE(CREDENTIALS.size))
        for level, kind, raw in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                self.adopt(CREDENTIALS.unpack(raw)[0])
        return data

    def adopt(self, pid: int) -> None:
        """Learn its pid. ProcessLookupError when it is already gone."""
        self.pidfd = os.pidfd_open(pid)
        self.pid = pid

    def take_bytes(self, expected: bytes) -> bool:
        """True when the inbox begins with the byte ``expected``, which is taken off."""
        if self.inbox[:1] == expected:
            del self.inbox[:1]
            return True
        return False

    def take_hello(self) -> bool:
        return self.take_bytes(HELLO)

    def take_confirmations(self) -> None:
        """Count confirmed forks of an idle process. Violation on anything else that it wrote."""
        while self.inbox:
            if not self.forks or not self.take_bytes(FORKED):
                raise Violation("spoke out of turn")
            self.forks -= 1

    def take_result(self) -> tuple[bytes, bytes] | None:
        """Outcome letter and body once complete. Violation when the frame is not one of ours."""
        if self.inbox and not self.token.startswith(bytes(self.inbox[:16])):
            raise Violation("not its token")
        if len(self.inbox) < 21:
            return None
        (size,) = struct.unpack_from(">I", self.inbox, 16)
        if len(self.inbox) > 21 + size:
            raise Violation("more than one result")
        if len(self.inbox) < 21 + size:
            return None
        letter, body = bytes(self.inbox[20:21]), bytes(self.inbox[21:])
        self.inbox.clear()
        return letter, body

    def cpu_used(self) -> float | None:
        """Processor time that it has used so far (s), 0 where the kernel has counted none yet; None when it is gone."""
        try:
            return time.clock_gettime((~self.pid << 3) | PROCESS_CLOCK)
        except OSError:
            return None

    def freeze(self) -> None:
        """Stop an idle state: what it may have left running burns nothing."""
        if not self.frozen:
            self.frozen = True
            self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self.frozen:
            self.frozen = False
            self.signal(signal.SIGCONT)

    def kill(self) -> None:
        self.phase = Phase.DOOMED
        if self.own_group and self.pidfd >= 0:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        if self.pidfd < 0:
            return
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            return

    def keepable(self) -> bool:
        """Whether forks of it can stand for a replay: one thread, no descriptor but its own, no working directory."""
        root = f"/proc/{self.pid}"
        try:
            alone = len(os.listdir(f"{root}/task")) == 1
            return alone and self.clean_descriptors() and os.readlink(f"{root}/cwd") == NEUTRAL
        except OSError:
            return False

    def clean_descriptors(self) -> bool:
        try:
            return sorted(os.listdir(f"/proc/{self.pid}/fd")) == ["0", "1", "2", "3"]
        except OSError:
            return False

    def give_time(self, limits: Limits, codes: int) -> None:
        """Its limits, for each code that it has to run, count from now."""
        now = time.monotonic()
        self.cpu_limit = limits.cpu_seconds * codes
        self.end_by = now + limits.wall_seconds * codes
        self.deadline = min(self.end_by, now + self.cpu_limit / limits.processes)

    def time_is_up(self, limits: Limits, now: float) -> bool:
        """Whether a limit is reached; else ``deadline`` is when to ask again: no thread computes faster than the clock.

        A program that would compute if the machine let it gets its wall clock extended a few times.
        """
        left = self.cpu_limit - (self.cpu_used() or 0.0)
        if left <= 0:
            return True
        if now >= self.end_by:
            if self.extensions == EXTENSIONS or not self.waits_for_processor():
                return True
            self.extensions += 1
            self.end_by = now + limits.wall_seconds
        self.deadline = min(self.end_by, now + max(left / limits.processes, SHORTEST_SECONDS))
        return False

    def waits_for_processor(self) -> bool:
        """Whether it would compute now if it could: runnable, not asleep, not stopped."""
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as stat:
                return stat.read().rpartition(b")")[2].split()[0] == b"R"
        except OSError:
            return False

    def measure(self) -> float:
        """MiB that it has touched since it was forked: minor faults times the page size, an upper estimate."""
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as stat:
                fields = stat.read().rpartition(b")")[2].split()
        except OSError:
            return 0.0
        self.cost_mib = int(fields[7]) * PAGE_MIB
        return self.cost_mib

    def reap(self) -> None:
        """Collect the exit status of the dead process."""
        try:
            _, self.status = os.waitpid(self.pid, 0)
        except ChildProcessError:
            self.status = 0

    def close(self) -> None:
        self.sock.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1
