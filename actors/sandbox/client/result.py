"""Turn a step's verdict and text into a result: an outcome, and text that is short and equal on every machine."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from actors.sandbox import verdicts
from actors.sandbox.limits import Limits
from search.data import Outcome
from search.serialization import fast_pickle

MAX_CHARACTERS = 200  # of an error line
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
PATH = re.compile(r"(?<![\w/])(?:/[\w.+\-]+){2,}/?")

OUTCOMES = {
    verdicts.OK: Outcome.OK,
    verdicts.OK_ALTERED: Outcome.OK,
    verdicts.SYNTAX_ERROR: Outcome.SYNTAX_ERROR,
    verdicts.EXCEPTION: Outcome.EXCEPTION,
    verdicts.OUT_OF_MEMORY: Outcome.OUT_OF_MEMORY,
    verdicts.OUTPUT_TRUNCATED: Outcome.OUTPUT_TRUNCATED,
    verdicts.FORBIDDEN: Outcome.FORBIDDEN,
    verdicts.TIMEOUT: Outcome.TIMEOUT,
    verdicts.CRASHED: Outcome.CRASHED,
}

# Outcomes that depend on the code alone, so that they may be cached.
DETERMINISTIC = frozenset({Outcome.OK, Outcome.SYNTAX_ERROR, Outcome.EXCEPTION, Outcome.OUTPUT_TRUNCATED})


@fast_pickle
@dataclass(frozen=True, slots=True)
class ExecResult:
    """How a step's code ended. ``output`` is what it printed when ``outcome`` is OK, else one error line."""

    outcome: Outcome
    output: str


def make_result(verdict: bytes, body: str, limits: Limits) -> ExecResult:
    """Return the result for a verdict and its text. They come from the step's process, or from the fork server."""
    outcome = OUTCOMES.get(verdict, Outcome.CRASHED)
    if outcome is Outcome.OK:
        return ExecResult(outcome, normalize_output(body))
    line = {
        Outcome.TIMEOUT: f"TimeoutError: did not end within {limits.cpu_seconds:g} s",
        Outcome.OUT_OF_MEMORY: f"MemoryError: needs more than {limits.memory_mib} MiB",
        Outcome.OUTPUT_TRUNCATED: f"OutputError: printed more than {limits.output_bytes} bytes",
        Outcome.CRASHED: "SystemError: the interpreter ended abruptly",
    }.get(outcome)
    return ExecResult(outcome, line or normalize_error(body))


def normalize_output(text: str) -> str:
    """Remove what differs from machine to machine: object addresses, the interpreter's directories."""
    text = ADDRESS.sub("at 0x0", text)
    for root in (sys.prefix, sys.base_prefix):
        text = text.replace(root, "") if len(root) > 4 else text
    return text


def normalize_error(text: str) -> str:
    """Return one line of at most MAX_CHARACTERS characters without paths and addresses."""
    line = " ".join(PATH.sub("…", ADDRESS.sub("at 0x0", text)).split())
    line = line or "PermissionError: not allowed"
    return line if len(line) <= MAX_CHARACTERS else line[: MAX_CHARACTERS - 1] + "…"
