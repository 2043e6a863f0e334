"""Every process that the warden is the parent of: watched for what it writes and for its death, found by pid, ended.

Knows no jobs. Children that are on no list (forks that never said hello, orphans of a step at tier "none") are swept.
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
STRANGER_SECONDS = 20.0  # how long a child may be on no list: longer than a fork may take to say hello
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
        self.strangers: dict[int, float] = {}
        self.swept = time.monotonic()

    def adopt_orphans(self) -> None:
        """Processes whose parents have died become our children, so that they can be swept."""
        linux.libc.prctl(linux.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def watch(self, process: Process) -> None:
        """Listen to its socket from now on."""
        process.sock.setblocking(False)
        self.processes.add(process)
        self.selector.register(process.sock, selectors.EVENT_READ, lambda events: self.on_socket(process, events))

    def watch_death(self, process: Process) -> None:
        """Its pid is known: notice its death."""
        self.by_pid[process.pid] = process
        self.selector.register(process.pidfd, selectors.EVENT_READ, lambda events: self.on_death(process))

    def hears(self, process: Process) -> bool:
        """Whether its socket is still listened to."""
        return process.sock in self.selector.get_map()

    def turn_away(self, process: Process) -> None:
        """Listen no more to its socket."""
        if self.hears(process):
            self.selector.unregister(process.sock)

    def push(self, process: Process) -> None:
        """Write what waits for it, now and whenever it reads."""
        wanted = selectors.EVENT_READ | (0 if process.flush() else selectors.EVENT_WRITE)
        key = self.selector.get_key(process.sock)
        if key.events != wanted:
            self.selector.modify(process.sock, wanted, key.data)

    def release(self, process: Process) -> None:
        """Forget a process and close what we hold of it."""
        self.processes.discard(process)
        self.by_pid.pop(process.pid, None)
        self.turn_away(process)
        if process.pidfd >= 0 and process.pidfd in self.selector.get_map():
            self.selector.unregister(process.pidfd)
        process.close()

    def sweep(self) -> None:
        """Now and then: kill and collect children that are on no list for longer than a fork may be."""
        now = time.monotonic()
        if now - self.swept < SWEEP_SECONDS:
            return
        self.swept = now
        unknown = [pid for pid in children() if pid not in self.by_pid]
        self.strangers = {pid: self.strangers.get(pid, now) for pid in unknown}
        for pid, since in self.strangers.items():
            if now - since >= STRANGER_SECONDS:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)

    def end(self) -> None:
        """Kill and collect every child, listed or not."""
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            for process in self.processes:
                process.kill()
            for pid in children():
                os.kill(pid, signal.SIGKILL)
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            time.sleep(0.002)


def children() -> list[int]:
    """Pids of this process's children, dead ones included; none where the kernel keeps no list."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as listed:
            return [int(pid) for pid in listed.read().split()]
    except OSError:
        return []
