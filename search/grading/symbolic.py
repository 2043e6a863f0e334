"""Equality by algebra: math-verify in a process of its own, with limits. Knows the process, not the algebra.

An answer such as 9^(9^(9^9)) keeps sympy busy for ever, and math-verify's own time limits need the main thread and its
alarm signal, which an actor does not give. So the comparison runs in a child that limits its own processor time and
memory; a child that dies means "not equal", and the next comparison starts a new one.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

CHILD = Path(__file__).with_name("symbolic_worker.py")
START_SECONDS = 120.0  # wall time for the child to load sympy on a busy machine
WALL_SECONDS = 60.0  # wall time of one comparison; the child's own limit is 2 s of processor time


class NotStarted(RuntimeError):
    """The child process could not load math-verify."""


class _Child:
    """One running child. Not for several threads at once."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._process = subprocess.Popen(
            [sys.executable, str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
        )
        if self._read(START_SECONDS) != b"ready\n":
            self.stop()
            self._errors.seek(0)
            lines = self._errors.read().decode(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else f"no sign of life within {START_SECONDS:g} s"
            raise NotStarted(f"math-verify does not run in {sys.executable}: {reason}")

    def ask(self, gold: str, answer: str) -> bool | None:
        """The child's verdict; None if it died or did not answer in time, after which it must be stopped."""
        request = json.dumps([gold, answer]).encode() + b"\n"
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(request)
        except BrokenPipeError:
            return None
        return {b"1\n": True, b"0\n": False}.get(self._read(WALL_SECONDS))

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self, seconds: float) -> bytes:
        """One line, or what came of it until the child closed its side or the time was up."""
        assert self._process.stdout is not None
        descriptor, line, deadline = self._process.stdout.fileno(), b"", time.monotonic() + seconds
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(descriptor, 64) if ready else b""
            if not piece:
                break
            line += piece
        return line


_lock = threading.Lock()
_running: list[_Child] = []  # the child of this process, at most one


def equal(gold: str, answer: str) -> bool:
    """Whether math-verify finds two normalised answers equal; False if it cannot tell within its limits.

    Blocks for some milliseconds (the first call for a second or so, while sympy loads). Safe in any thread. Raises
    NotStarted if math-verify cannot be loaded.
    """
    with _lock:
        if _running and _running[0].owner != os.getpid():
            _running.clear()  # forked: the child belongs to the parent process
        if not _running:
            _running.append(_Child())
        verdict = _running[0].ask(gold, answer)
        if verdict is None:
            _running.pop().stop()
        return bool(verdict)


@atexit.register
def stop() -> None:
    """End the child, if this process has one."""
    with _lock:
        if _running and _running[0].owner == os.getpid():
            _running.pop().stop()
