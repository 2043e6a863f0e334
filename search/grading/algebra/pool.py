"""Compare pairs that need algebra in child processes with limits of time and memory.

An answer such as ``9^(9^(9^9))`` computes for ever, and no exception ends one long multiplication. A child that exceeds its
limits ends, the pair counts as cut, and the next pair starts another child.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO

CHILD = Path(__file__).with_name("worker.py")
START_SECONDS = 120.0  # wall time for a child to start on a busy machine
WALL_SECONDS = 60.0  # wall time of one comparison; the child's own limit is 0.5 s of processor time
MAX_CHILDREN = 4
MAX_DEATHS = 3  # children in a row that may end without a limit as the cause

Launcher = Callable[[Sequence[str], IO[bytes]], "subprocess.Popen[bytes]"]


class GraderUnavailable(RuntimeError):
    """The child process cannot start or keeps dying: nothing can be graded."""


class Cut(StrEnum):
    """Reasons for a verdict of "unequal" that no comparison gave."""

    TIME = "time"
    MEMORY = "memory"
    CRASH = "crash"
    UNDECIDED = "undecided"


VERDICTS: dict[bytes, bool | Cut] = {b"1\n": True, b"0\n": False, b"?\n": Cut.UNDECIDED, b"!\n": Cut.MEMORY}


def launch(command: Sequence[str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a child process with pipes."""
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0)


class _Child:
    """A running child. Not for several threads at once. Raises GraderUnavailable if it does not start."""

    def __init__(self, launcher: Launcher) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._process = launcher([sys.executable, "-P", str(CHILD)], self._errors)
        if self._read(START_SECONDS) != b"ready\n":
            self.stop()
            self._errors.seek(0)
            lines = self._errors.read().decode(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else f"no sign of life within {START_SECONDS:g} s"
            raise GraderUnavailable(f"the grader's algebra does not run in {sys.executable}: {reason}")

    def ask(self, *request: str) -> bool | Cut:
        """Return the verdict on a request, see ``worker``, or why there is none."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            return Cut.CRASH
        started = time.monotonic()
        line = self._read(WALL_SECONDS)
        known = VERDICTS.get(line)
        if known is not None:
            return known
        if time.monotonic() - started >= WALL_SECONDS:
            return Cut.TIME
        try:
            code = self._process.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            return Cut.CRASH
        return Cut.TIME if code == -signal.SIGPROF else Cut.CRASH

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self, seconds: float) -> bytes:
        """Return one line, or the part of it that came before the child closed its side or the time was up."""
        assert self._process.stdout is not None
        descriptor, line, deadline = self._process.stdout.fileno(), b"", time.monotonic() + seconds
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(descriptor, 64) if ready else b""
            if not piece:
                break
            line += piece
        return line


class AlgebraPool:
    """Child processes that compare pairs, at most ``size`` at once. Safe in any thread."""

    def __init__(self, launcher: Launcher = launch, size: int | None = None) -> None:
        self.owner = os.getpid()
        self.counts: Counter[str] = Counter()
        self._launcher = launcher
        self._places = threading.Semaphore(size or max(1, min(MAX_CHILDREN, (os.cpu_count() or 1) - 1)))
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._deaths = 0

    def equal(self, gold: str, answer: str) -> bool:
        """Return whether two answers are equal by algebra; False, counted in ``counts``, if that is not decided in time.

        Blocks for some milliseconds, at the first call for some tenths of a second. Raises GraderUnavailable.
        """
        return self._compare(gold, answer)

    def same_value(self, first: str, second: str) -> bool:
        """Return whether two numbers or expressions have one value, without the leniences towards a reference."""
        return self._compare(first, second, "values")

    def _compare(self, *request: str) -> bool:
        with self._places:
            verdict = self._ask(*request)
            if verdict is Cut.CRASH:
                verdict = self._ask(*request)
        with self._lock:
            self.counts["compared"] += 1
            if isinstance(verdict, Cut):
                self.counts[verdict] += 1
        return verdict is True

    def _ask(self, *request: str) -> bool | Cut:
        with self._lock:
            child = self._idle.pop() if self._idle else None
        if child is None:
            child = _Child(self._launcher)
        verdict = child.ask(*request)
        with self._lock:
            self._deaths = self._deaths + 1 if verdict is Cut.CRASH else 0
            deaths = self._deaths
            if verdict not in (Cut.CRASH, Cut.TIME):
                self._idle.append(child)
                return verdict
        child.stop()
        if deaths >= MAX_DEATHS:
            raise GraderUnavailable(f"the grader's algebra died {deaths} times in a row without reaching a limit")
        return verdict

    def stop(self) -> None:
        """End the children that no comparison uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        if self.owner == os.getpid():
            for child in idle:
                child.stop()


_lock = threading.Lock()
_pools: list[AlgebraPool] = []  # the pool of this process, at most one


def pool() -> AlgebraPool:
    """Return the pool of this process; a forked process makes its own."""
    with _lock:
        if _pools and _pools[0].owner != os.getpid():
            _pools.clear()
        if not _pools:
            _pools.append(AlgebraPool())
        return _pools[0]


def counts() -> Counter[str]:
    """Return what the pool of this process has counted: "compared" and the values of ``Cut``. Starts nothing."""
    with _lock:
        return Counter({str(name): number for each in _pools for name, number in each.counts.items()})


def use_launcher(launcher: Launcher) -> None:
    """Start children of this process with ``launcher`` from now on, to confine them for instance."""
    stop()
    with _lock:
        _pools[:] = [AlgebraPool(launcher)]


@atexit.register
def stop() -> None:
    """End the pool of this process, if it has one."""
    with _lock:
        pools, _pools[:] = list(_pools), []
    for each in pools:
        each.stop()
