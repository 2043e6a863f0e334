"""Start the zygote as a fresh interpreter and wait until its modules are loaded and it has confined itself."""

from __future__ import annotations

import array
import json
import os
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass

from actors.sandbox.jail.zygote import LISTENER, READY
from actors.sandbox.limits import ROOT_KEY, Limits, Tier
from actors.sandbox.server.process import Phase, Process

START_SECONDS = 120.0


class ServerFailed(Exception):
    """The fork server cannot start, or cannot go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zygote:
    """The warm interpreter's process, the tier in force, why it is not higher, and the means in use.

    ``listener`` is the descriptor on which the kernel reports its system calls; -1 where it reports none.
    """

    process: Process
    tier: Tier
    missing: tuple[str, ...]
    parts: tuple[str, ...]
    listener: int


def environment() -> dict[str, str]:
    """Return the whole environment of the interpreter that steps run in: constants, the same on every machine."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    constants = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/nonexistent", "PYTHONHASHSEED": "0"}
    return {**threads, **constants, "PYTHONPATH": os.environ["PYTHONPATH"]}


def start_zygote(limits: Limits, scratch_dirs: list[str]) -> Zygote:
    """Start the zygote, a child of this process with one descriptor. Raise ServerFailed with its reason."""
    ours, theirs = socket.socketpair()
    arguments = [str(theirs.fileno()), limits.to_json(), json.dumps(scratch_dirs)]
    # -P for security: -m would search the working directory first, and what lies there would be imported in place of
    # a library before the interpreter is confined.
    child = subprocess.Popen(
        [sys.executable, "-s", "-P", "-B", "-m", "actors.sandbox.jail.zygote", *arguments],
        env=environment(),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    process = Process(sock=ours, key=ROOT_KEY, phase=Phase.IDLE)
    process.set_pid(child.pid)
    kind, text, listener = _receive(ours)
    if kind != READY:
        raise ServerFailed(f"the interpreter did not start: {text or 'it exited without a message'}")
    hello = json.loads(text)
    return Zygote(
        process=process,
        tier=Tier(hello["tier"]),
        missing=tuple(hello["missing"]),
        parts=tuple(hello["parts"]),
        listener=listener,
    )


def _receive(sock: socket.socket) -> tuple[bytes, str, int]:
    """Wait for the zygote's message. Return its kind, its text, and the listener's descriptor (-1 where it sent none).

    The kind is empty where no message arrives in time or the zygote closes its end.
    """
    deadline = time.monotonic() + START_SECONDS
    inbox, listener = b"", -1
    while True:
        sock.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            data, ancillary, _, _ = sock.recvmsg(65_536, socket.CMSG_SPACE(4))
        except TimeoutError:
            return b"", f"no message from it in {START_SECONDS:.0f} s", listener
        for level, kind, raw in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                listener = array.array("i", raw)[0]
        inbox += data
        message = inbox.lstrip(LISTENER)
        if len(message) >= 5:
            (size,) = struct.unpack_from(">I", message, 1)
            if len(message) >= 5 + size:
                return message[:1], message[5 : 5 + size].decode("utf-8", "replace"), listener
        if not data:
            return b"", "", listener
