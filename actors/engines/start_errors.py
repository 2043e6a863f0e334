"""Say why an engine did not start.

vLLM loads a model in processes of its own. When one of them fails, the error that reaches the actor is "Engine core
initialization failed. See root cause above", and the cause stands in the actor's log, on the actor's node. The actor reads
it there and raises it as one line. Where the actor itself was killed, the driver has Ray fetch the log.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from actors.errors import EngineStartFailed

STDERR = Path("/proc/self/fd/2")
TRACEBACK = "Traceback (most recent call last):"
# What vLLM puts before a line: "(EngineCore pid=71) ERROR 11-30 04:20:24 [core.py:1510] ".
PROCESS = re.compile(r"^((?:\([^()]*pid=\d+[^()]*\) ?)*)(?:[A-Z]+ \d\d-\d\d \d\d:\d\d:\d\d \[[^\]]*\] ?)?")
EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(: .*)?$")
# Errors that only point to another one.
POINTERS = re.compile(r"root cause|[Ss]ee (the )?(stack )?trace|stack trace above")
EXIT_CODE = re.compile(r"proc\(s\): \{[^}]*: (-?\d+)")
# Ray's description of an actor that died: fields on lines of their own, and a last line that says nothing of the cause.
ACTOR_FIELD, NEVER_RAN = re.compile(r"^\t\w+: "), "The actor never ran"
PYDANTIC_NOISE = re.compile(r" \[type=.*$|For further information visit .*$", re.MULTILINE)
LOG_TAIL_LINES, STATE_TIMEOUT_S = 400, 10
MAX_LINE = 400  # characters of a cause


class ActorLog:
    """The file that this process writes its errors to, from where it was when the engine began to start."""

    def __init__(self) -> None:
        self.path = Path(os.path.realpath(STDERR)) if STDERR.exists() else Path("/dev/null")
        self._begin = self.path.stat().st_size if self.path.is_file() else 0

    def lines(self) -> list[str]:
        """Return the lines that were written since; none where errors go to a terminal or a pipe."""
        if not self.path.is_file():
            return []
        with self.path.open("rb") as file:
            file.seek(self._begin)
            return file.read().decode("utf-8", errors="replace").splitlines()


def start_failure(error: BaseException, log: ActorLog) -> EngineStartFailed:
    """Return the error of an engine that could not start: its cause in one line, with the node and the log's file."""
    text = _one_line(error)
    if POINTERS.search(text):
        text = cause_in(log.lines()) or _death_of_a_process(text) or text
    node = ray.util.get_node_ip_address() if ray.is_initialized() else "this machine"
    place = f"; log {log.path}" if log.path.is_file() else ""
    return EngineStartFailed(f"{text} (node {node}{place})")


def cause_in(lines: Iterable[str]) -> str | None:
    """Return the last exception in a log that does not merely point to another one; None without one.

    Lines of several processes may be mixed: each process's traceback is read for itself.

    >>> cause_in(["(Core pid=7) Traceback (most recent call last):", "(Core pid=7)   File x", "(Core pid=7) OSError: none"])
    'OSError: none'
    """
    open_traces: set[str] = set()
    causes: list[str] = []
    for line in lines:
        match = PROCESS.match(line)
        process, text = (match.group(1), line[match.end() :]) if match else ("", line)
        if text.startswith(TRACEBACK):
            open_traces.add(process)
        elif process in open_traces and text and not text[0].isspace():
            open_traces.discard(process)
            if EXCEPTION.match(text) and not POINTERS.search(text):
                causes.append(text)
    return causes[-1][:MAX_LINE] if causes else None


def cause_of(error: RayError) -> str:
    """Return the cause in the error of an actor: the last line of its constructor's traceback, or what Ray says of its death."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not ACTOR_FIELD.match(line)]
    cause = next((line for line in reversed(lines) if not line.startswith(NEVER_RAN)), type(error).__name__)
    return cause.removeprefix(f"{EngineStartFailed.__module__}.{EngineStartFailed.__name__}: ")


def describe_late_actor(actor_id: str) -> str:
    """Return what Ray's state API says of an actor that did not start in time, and the cause in its log.

    Empty where the API does not answer: it needs Ray's dashboard.
    """
    # Loaded where something failed: every start would take longer by it.
    from ray.util.state import get_actor, get_log
    from ray.util.state.exception import RayStateApiException

    try:
        state: Any = get_actor(actor_id, timeout=STATE_TIMEOUT_S)
        if state is None or not state.node_id:
            return ""
        tail = get_log(actor_id=actor_id, suffix="err", tail=LOG_TAIL_LINES, timeout=STATE_TIMEOUT_S)
        cause = cause_in(line for chunk in tail for line in chunk.splitlines())
    except (RayStateApiException, RayError, OSError, ValueError, RuntimeError):
        return ""
    restarts = f", {state.num_restarts} times restarted" if int(state.num_restarts or 0) else ""
    log = f"worker-{state.pid}" if state.pid else "its log"
    return f"on node {state.node_id[:8]}{restarts}" + (f", {cause} ({log})" if cause else "")


def _one_line(error: BaseException) -> str:
    """Return type and message of an error as one line, without pydantic's hints."""
    message = " ".join(PYDANTIC_NOISE.sub("", str(error)).split())
    return f"{type(error).__name__}: {message}"[:MAX_LINE] if message else type(error).__name__


def _death_of_a_process(text: str) -> str | None:
    """Return what the exit code in vLLM's message means, where a signal ended one of its processes."""
    match = EXIT_CODE.search(text)
    if match is None or int(match.group(1)) >= 0:
        return None
    number = -int(match.group(1))
    reason = "; the host's memory ran out, if nobody else ended it" if number == signal.SIGKILL else ""
    return f"the engine core was killed by {signal.Signals(number).name}{reason}"
