"""Starts the zygote as a fresh interpreter and waits until its modules are loaded and it has locked itself in."""

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

from actors.sandbox.limits import ROOT_KEY, Limits, Tier
from actors.sandbox.server.process import Phase, Process

START_SECONDS = 120.0


class ServiceFailed(Exception):
    """The service cannot start, or cannot go on."""


@dataclass(frozen=True, slots=True)
class Zygote:
    """The warm interpreter: its process, the tier in force and why not more, where its wishes arrive (-1: nowhere)."""

    process: Process
    tier: Tier
    missing: tuple[str, ...]
    parts: tuple[str, ...]
    listener: int


def environment() -> dict[str, str]:
    """The whole environment of the interpreter that steps run in: constants, the same on every machine."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    fixed = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/nonexistent", "PYTHONHASHSEED": "0"}
    return {**threads, **fixed, "PYTHONPATH": os.environ["PYTHONPATH"]}


def start_zygote(limits: Limits, slots: list[str]) -> Zygote:
    """A child of this process with one descriptor. Raises ServiceFailed with the reason it gave."""
    ours, theirs = socket.socketpair()
    arguments = [str(theirs.fileno()), limits.to_json(), json.dumps(slots)]
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
    process = Process(ours, ROOT_KEY, phase=Phase.IDLE)
    process.adopt(child.pid)
    letter, text, listener = _hear(ours)
    if letter != b"Z":
        raise ServiceFailed(f"the interpreter did not start: {text or 'it left without a word'}")
    said = json.loads(text)
    return Zygote(process, Tier(said["tier"]), tuple(said["missing"]), tuple(said["parts"]), listener)


def _hear(sock: socket.socket) -> tuple[bytes, str, int]:
    """What the zygote says: a letter, a text, and a descriptor if it handed one over."""
    deadline = time.monotonic() + START_SECONDS
    inbox, listener = b"", -1
    while True:
        sock.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            data, ancillary, _, _ = sock.recvmsg(65_536, socket.CMSG_SPACE(4))
        except TimeoutError:
            return b"", f"no word from it in {START_SECONDS:.0f} s", listener
        for level, kind, raw in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                listener = array.array("i", raw)[0]
        inbox += data
        body = inbox.lstrip(b"L")
        if len(body) >= 5:
            (size,) = struct.unpack_from(">I", body, 1)
            if len(body) >= 5 + size:
                return body[:1], body[5 : 5 + size].decode("utf-8", "replace"), listener
        if not data:
            return b"", "", listener
