"""Track every child of the fork server: watch its socket and its death, find it by pid, end it.

Children that are not in the table are swept: forks that never said hello, and orphans of a step at tier "none".
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable

from actors.sandbox import linux
from actors.sandbox.server.process import Process

SWEEP_SECONDS = 1.0
UNLISTED_SECONDS = 20.0  # how long a child may be in no table: longer than a fork may take to say hello
END_SECONDS = 5.0

OnSocket = Callable[[Process, int], None]
OnDeath = Callable[[Process], None]


class ProcessTable:
    """The processes, their sockets and pidfds in one selector."""

    def __init__(self, on_socket: OnSocket, on_death: OnDeath) -> None:
        self.selector = selectors.DefaultSelector()
        self.on_socket = on_socket
        self.on_death = on_death
        self.processes: set[Process] = set()
        self.by_pid: dict[int, Process] = {}
        self.unlisted_since: dict[int, float] = {}
        self.last_sweep = time.monotonic()

    def adopt_orphans(self) -> None:
        """Become the parent of processes whose parents have died, so that they can be swept."""
        linux.libc.prctl(linux.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def watch_socket(self, process: Process) -> None:
        """List a process and read its socket from now on."""
        process.sock.setblocking(False)
        self.processes.add(process)
        self.selector.register(process.sock, selectors.EVENT_READ, lambda events: self.on_socket(process, events))

    def watch_death(self, process: Process) -> None:
        """List a process by its pid, which is known by now, and notice its death."""
        self.by_pid[process.pid] = process
        self.selector.register(process.pidfd, selectors.EVENT_READ, lambda events: self.on_death(process))

    def is_socket_watched(self, process: Process) -> bool:
        return process.sock in self.selector.get_map()

    def unwatch_socket(self, process: Process) -> None:
        """Read its socket no more."""
        if self.is_socket_watched(process):
            self.selector.unregister(process.sock)

    def flush(self, process: Process) -> None:
        """Write what its outbox holds, now and whenever it reads."""
        wanted = selectors.EVENT_READ | (0 if process.flush() else selectors.EVENT_WRITE)
        key = self.selector.get_key(process.sock)
        if key.events != wanted:
            self.selector.modify(process.sock, wanted, key.data)

    def remove(self, process: Process) -> None:
        """Forget a process and close its descriptors."""
        self.processes.discard(process)
        if self.by_pid.get(process.pid) is process:
            del self.by_pid[process.pid]
        self.unwatch_socket(process)
        if process.pidfd >= 0 and process.pidfd in self.selector.get_map():
            self.selector.unregister(process.pidfd)
        process.close()

    def sweep(self) -> None:
        """Once per SWEEP_SECONDS: kill and reap children that have been unlisted for UNLISTED_SECONDS."""
        now = time.monotonic()
        if now - self.last_sweep < SWEEP_SECONDS:
            return
        self.last_sweep = now
        unlisted = [pid for pid in child_pids() if pid not in self.by_pid]
        self.unlisted_since = {pid: self.unlisted_since.get(pid, now) for pid in unlisted}
        for pid, since in self.unlisted_since.items():
            if now - since >= UNLISTED_SECONDS:
                kill_child(pid)

    def kill_all(self) -> None:
        """Kill and reap every child, listed or not."""
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            for process in self.processes:
                process.kill()
            for pid in child_pids():
                kill_child(pid, reap=False)
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            time.sleep(0.002)


def kill_child(pid: int, reap: bool = True) -> None:
    """Kill a child, and reap it if it is dead already. One that is gone is no error."""
    try:
        os.kill(pid, signal.SIGKILL)
        if reap:
            os.waitpid(pid, os.WNOHANG)
    except (ProcessLookupError, ChildProcessError):
        return


def child_pids() -> list[int]:
    """Return the pids of this process's children, dead ones included; none where the kernel keeps no list."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as children:
            return [int(pid) for pid in children.read().split()]
    except OSError:
        return []
