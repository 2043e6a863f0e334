"""Check that a Ray cluster answers at an address, within a deadline, and agree with it on its token.

The cluster is asked by a child process (``cluster_probe.py``), which may be started early with ``begin``: it takes two
seconds, in which a command reads its problems.
"""

from __future__ import annotations

import atexit
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import IO

from search.errors import UserError

AUTH_MODE, DISABLED, TOKEN = "RAY_AUTH_MODE", "disabled", "token"
TOKEN_MISSING = "no token"  # the refusal of a process that has none
CONNECT_S = 10.0
_begun: dict[str, subprocess.Popen[str]] = {}  # by address; none outlives this process


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAnswer:
    """What a cluster said when it was asked without a token, then with ours.

    ``mode``: the mode of authentication in which it answered; None if it did not. ``refusals``: the reasons of the modes in
    which it did not.
    """

    mode: str | None = None
    refusals: Mapping[str, str] = field(default_factory=dict)
    ray: str = ""
    python: str = ""


def begin(address: str | None) -> None:
    """Start to ask the cluster at ``address``; ``check_cluster`` waits for the answer. Of no use for what is no address."""
    if address is not None and address not in _begun and (address == "auto" or is_address(address)):
        _begun[address] = _start_probe(address)
        atexit.register(_end_probe, address)


def check_cluster(address: str, deadline_s: float) -> None:
    """Raise UserError if no cluster answers at ``address``, or none that this process can join.

    Sets RAY_AUTH_MODE for this process as the cluster has it: where it is not set, Ray asks for a token at some addresses and
    not at others, and the actors of a driver whose mode is not the cluster's never run.
    """
    _check_form(address)
    _check_port(address, deadline_s)
    answer = _await_answer(address, deadline_s)
    os.environ[AUTH_MODE] = choose_mode(address, answer, os.environ.get(AUTH_MODE))
    check_versions(address, answer, metadata.version("ray"), platform.python_version())


def choose_mode(address: str, answer: ClusterAnswer, wanted: str | None) -> str:
    """Return the mode of authentication of a cluster that answered. Raises UserError if it did not, or ``wanted`` is another.

    ``wanted``: RAY_AUTH_MODE of this process; None if it is not set.
    """
    if answer.mode is None:
        reason = answer.refusals.get(DISABLED) or "it did not answer"
        if "token" not in reason.lower():
            raise UserError(f"cannot join Ray at {address}: {reason[:300]}")
        if answer.refusals.get(TOKEN) == TOKEN_MISSING:
            raise UserError(
                f"Ray at {address} asks for a token, and there is none here (~/.ray/auth_token): on the machine that has it, "
                f"`raystar token {platform.node()}` brings it"
            )
        raise UserError(
            f"Ray at {address} asks for a token, and the one here is another: `raystar token {platform.node()}`, on a machine "
            "with the cluster's, replaces it"
        )
    if wanted is not None and wanted.lower() != answer.mode:
        says = "asks for a token" if answer.mode == TOKEN else "has no token"
        raise UserError(
            f"Ray at {address} {says}, but {AUTH_MODE}={wanted} is set here: unset it, or start every node of the cluster with it"
        )
    return answer.mode


def check_versions(address: str, answer: ClusterAnswer, ray: str, python: str) -> None:
    """Raise UserError if the cluster runs another Ray, or another minor version of Python."""
    if answer.ray != ray or answer.python.split(".")[:2] != python.split(".")[:2]:
        raise UserError(
            f"cannot join Ray at {address}: it runs Ray {answer.ray} on Python {answer.python}, here is Ray {ray} on Python "
            f"{python}: install the same lock on all machines"
        )


def is_address(text: str) -> bool:
    """Return whether a text is HOST:PORT."""
    host, _, port = text.rpartition(":")
    return bool(host) and "/" not in host and port.isdigit() and 0 < int(port) < 65536


def _check_form(address: str) -> None:
    if address.startswith("ray://"):
        raise UserError(
            f"--address {address}: Ray Client is not supported: give HOST:PORT of the head node (usually port 6379), "
            "or use ray job submit"
        )
    if address != "auto" and not is_address(address):
        raise UserError(f"--address {address!r} is no address: HOST:PORT of a Ray head node, auto or local")


def _check_port(address: str, deadline_s: float) -> None:
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=min(deadline_s, CONNECT_S)).close()
    except OSError as error:
        _end_probe(address)
        raise UserError(
            f"no Ray at {address}: {error.strerror or error}: is ray start --head running there?"
        ) from error


def _start_probe(address: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "cluster.host.cluster_probe", address]
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    paths = filter(None, (source, os.environ.get("PYTHONPATH")))
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def _await_answer(address: str, deadline_s: float) -> ClusterAnswer:
    begin(address)
    process = _begun.pop(address)
    try:
        output, errors = process.communicate(timeout=deadline_s)
    except subprocess.TimeoutExpired as error:
        _end(process)
        raise UserError(
            f"no Ray answered at {address} within {deadline_s:.0f} s: is it a Ray head node's port?"
        ) from error
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if lines:
        return ClusterAnswer(**json.loads(lines[-1]))
    words = [line.strip() for line in errors.splitlines() if line.strip()]
    return ClusterAnswer(refusals={DISABLED: words[-1] if words else f"its check ended with {process.returncode}"})


def _end_probe(address: str) -> None:
    if (process := _begun.pop(address, None)) is not None:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    pipes: list[IO[str] | None] = [process.stdout, process.stderr]
    for pipe in pipes:
        if pipe is not None:
            pipe.close()
    process.wait()
