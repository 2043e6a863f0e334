"""One interpreter as the fork server sees it: zygote, running step or kept state. Nothing that it writes is trusted.

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

from actors.sandbox.jail.zygote import FORK, FORKED, HELLO, NEUTRAL_DIR
from actors.sandbox.limits import Limits

PAGE_MIB = resource.getpagesize() / 2**20
PROCESS_CLOCK = 2  # of another process: a clock's number is made from the pid (clock_getcpuclockid(3))
MAX_EXTENSIONS = 9  # of the wall clock
MIN_CHECK_SECONDS = 0.01  # between two checks of a step's processor time
CREDENTIALS = struct.Struct("iii")


class Phase(Enum):
    """Phase of a process of the sandbox, from its fork to its end."""

    STARTING = auto()  # ordered, has not written yet
    RUNNING = auto()
    IDLE = auto()  # a state: waits for orders to fork
    KILLED = auto()  # not reaped yet


class Violation(Exception):
    """A process wrote a malformed frame or an illegal message on its socket."""


@dataclass(eq=False, kw_only=True)
class Process:
    """A process and the fork server's end of its socket."""

    sock: socket.socket
    key: bytes
    phase: Phase = Phase.STARTING
    pid: int = 0
    pidfd: int = -1
    token: bytes = b""
    deadline: float = 0.0  # when it must be checked
    wall_deadline: float = 0.0  # when its wall clock runs out
    cpu_limit: float = 0.0  # s
    inbox: bytearray = field(default_factory=bytearray)
    outbox: bytearray = field(default_factory=bytearray)
    unconfirmed_forks: int = 0  # orders to fork that it has not confirmed
    granted_forks: int = 0  # orders to fork that the kernel has not asked about yet
    files_created: int = 0
    extensions: int = 0  # of its wall clock
    own_group: bool = False  # it leads a process group, which ends with it
    is_frozen: bool = False
    scratch: str = ""  # its scratch directory while it runs
    memory_mib: float = 0.0  # upper estimate of the memory that it alone holds
    status: int = 0  # exit status once reaped, as os.waitpid gives it

    def order_fork(self, child_end: socket.socket) -> None:
        """Order it to fork a child that talks on ``child_end``. Raise OSError when it is dead."""
        self.thaw()
        self.sock.sendmsg([FORK], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [child_end.fileno()]))])
        self.unconfirmed_forks += 1
        self.granted_forks += 1

    def flush(self) -> bool:
        """Write what the outbox holds. Return True when nothing is left."""
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
        """Read what it wrote into ``inbox``. Return True when it has closed its end.

        Raise Violation beyond ``limit`` bytes.
        """
        while True:
            try:
                if self.pid:
                    data = self.sock.recv(65_536)
                else:
                    data = self._read_with_credentials()
            except BlockingIOError:
                return False
            except ConnectionError:
                return True
            if not data:
                return True
            self.inbox += data
            if len(self.inbox) > limit:
                raise Violation("too many bytes")

    def _read_with_credentials(self) -> bytes:
        """Read its first bytes and learn its pid. Raise Violation where the sender is dead and forgotten already.

        A base that writes in place of its child and dies can be: its death may be handled first.
        """
        data, ancillary, _, _ = self.sock.recvmsg(65_536, socket.CMSG_SPACE(CREDENTIALS.size))
        for level, kind, raw in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                try:
                    self.set_pid(CREDENTIALS.unpack(raw)[0])
                except OSError as error:
                    raise Violation("written by a process that is gone") from error
        return data

    def set_pid(self, pid: int) -> None:
        """Set its pid and open its pidfd. Raise ProcessLookupError when it is already gone."""
        self.pidfd = os.pidfd_open(pid)
        self.pid = pid

    def take_byte(self, expected: bytes) -> bool:
        """Take the byte ``expected`` off the inbox. Return False where the inbox begins otherwise."""
        if self.inbox[:1] == expected:
            del self.inbox[:1]
            return True
        return False

    def take_hello(self) -> bool:
        return self.take_byte(HELLO)

    def take_confirmations(self) -> None:
        """Count confirmed forks of an idle process. Raise Violation on anything else that it wrote."""
        while self.inbox:
            if not self.unconfirmed_forks or not self.take_byte(FORKED):
                raise Violation("wrote out of turn")
            self.unconfirmed_forks -= 1

    def take_result(self, limit: int) -> tuple[bytes, bytes] | None:
        """Return verdict and body once the frame is complete, else None.

        Raise Violation when it is not one of ours, or announces a body of more than ``limit`` bytes.
        """
        if self.inbox and not self.token.startswith(bytes(self.inbox[:16])):
            raise Violation("not its token")
        if len(self.inbox) < 21:
            return None
        (size,) = struct.unpack_from(">I", self.inbox, 16)
        if size > limit or len(self.inbox) > 21 + size:
            raise Violation("too long, or more than one result")
        if len(self.inbox) < 21 + size:
            return None
        verdict, body = bytes(self.inbox[20:21]), bytes(self.inbox[21:])
        self.inbox.clear()
        return verdict, body

    def cpu_used(self) -> float | None:
        """Return its processor time (s), 0 where the kernel has counted none yet, None when it is gone."""
        try:
            return time.clock_gettime((~self.pid << 3) | PROCESS_CLOCK)
        except OSError:
            return None

    def freeze(self) -> None:
        """Stop an idle state, so that what it may have left running uses no processor time."""
        if not self.is_frozen:
            self.is_frozen = True
            self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self.is_frozen:
            self.is_frozen = False
            self.signal(signal.SIGCONT)

    def kill(self) -> None:
        self.phase = Phase.KILLED
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

    def is_keepable(self) -> bool:
        """Return True if a fork of it equals a replay: one thread, no descriptor but its own, the neutral directory."""
        root = f"/proc/{self.pid}"
        try:
            is_single_threaded = len(os.listdir(f"{root}/task")) == 1
            return is_single_threaded and self.has_only_own_descriptors() and os.readlink(f"{root}/cwd") == NEUTRAL_DIR
        except OSError:
            return False

    def has_only_own_descriptors(self) -> bool:
        """Return True if only null devices and its socket are open."""
        try:
            return sorted(os.listdir(f"/proc/{self.pid}/fd")) == ["0", "1", "2", "3"]
        except OSError:
            return False

    def start_clock(self, limits: Limits, codes: int) -> None:
        """Start its limits, which allow each of the ``codes`` that it has to run its own time."""
        now = time.monotonic()
        self.cpu_limit = limits.cpu_seconds * codes
        self.wall_deadline = now + limits.wall_seconds * codes
        self.deadline = min(self.wall_deadline, now + self.cpu_limit / limits.threads)

    def is_out_of_time(self, limits: Limits, now: float) -> bool:
        """Return True if a limit is reached. Otherwise set ``deadline`` to the time of the next check.

        No thread computes faster than the clock, so a check before ``deadline`` could find nothing. A program that
        would compute if the machine let it gets its wall clock extended, MAX_EXTENSIONS times at most.
        """
        cpu_left = self.cpu_limit - (self.cpu_used() or 0.0)
        if cpu_left <= 0:
            return True
        if now >= self.wall_deadline:
            if self.extensions == MAX_EXTENSIONS or not self.is_runnable():
                return True
            self.extensions += 1
            self.wall_deadline = now + limits.wall_seconds
        self.deadline = min(self.wall_deadline, now + max(cpu_left / limits.threads, MIN_CHECK_SECONDS))
        return False

    def is_runnable(self) -> bool:
        """Return True if it would compute now if it could: neither asleep nor stopped."""
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as stat:
                return stat.read().rpartition(b")")[2].split()[0] == b"R"
        except OSError:
            return False

    def measure_memory(self) -> float:
        """Return the MiB touched since its fork: minor faults times the page size, an upper estimate."""
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as stat:
                fields = stat.read().rpartition(b")")[2].split()
        except OSError:
            return 0.0
        self.memory_mib = int(fields[7]) * PAGE_MIB
        return self.memory_mib

    def reap(self) -> None:
        """Collect the exit status of the dead process into ``status``."""
        try:
            _, self.status = os.waitpid(self.pid, 0)
        except ChildProcessError:
            self.status = 0

    def close(self) -> None:
        self.sock.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1
