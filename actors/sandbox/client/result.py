"""What a run comes to: outcome and text, the text short and the same on every machine. Knows no processes."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from actors.sandbox.limits import Limits
from search.data import Outcome
from search.serialization import fast_pickle

MOST_CHARACTERS = 200  # of an error line
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
PATH = re.compile(r"(?<![\w/])(?:/[\w.+\-]+){2,}/?")

LETTERS = {
    "k": Outcome.OK,
    "K": Outcome.OK,
    "s": Outcome.SYNTAX_ERROR,
    "e": Outcome.EXCEPTION,
    "m": Outcome.OUT_OF_MEMORY,
    "t": Outcome.OUTPUT_TRUNCATED,
    "f": Outcome.FORBIDDEN,
    "T": Outcome.TIMEOUT,
    "c": Outcome.CRASHED,
}

# Outcomes that depend on the code alone: the same every time, so worth remembering.
REPEATABLE = frozenset({Outcome.OK, Outcome.SYNTAX_ERROR, Outcome.EXCEPTION, Outcome.OUTPUT_TRUNCATED})


@fast_pickle
@dataclass(frozen=True, slots=True)
class ExecResult:
    """How a step's code ended. ``output`` is what it printed when ``outcome`` is OK, else one error line."""

    outcome: Outcome
    output: str


def interpret(letter: str, body: str, limits: Limits) -> ExecResult:
    """A step's own word (``letter``, ``body``), or the warden's about it, made into a result."""
    outcome = LETTERS.get(letter, Outcome.CRASHED)
    if outcome is Outcome.OK:
        return ExecResult(outcome, clean(body))
    line = {
        Outcome.TIMEOUT: f"TimeoutError: did not end within {limits.cpu_seconds:g} s",
        Outcome.OUT_OF_MEMORY: f"MemoryError: needs more than {limits.memory_mib} MiB",
        Outcome.OUTPUT_TRUNCATED: f"OutputError: printed more than {limits.output_bytes} bytes",
        Outcome.CRASHED: "SystemError: the interpreter ended abruptly",
    }.get(outcome)
    return ExecResult(outcome, line or error_line(body))


def clean(text: str) -> str:
    """Printed text without what differs from machine to machine: object addresses, the interpreter's directories."""
    text = ADDRESS.sub("at 0x0", text)
    for root in (sys.prefix, sys.base_prefix):
        text = text.replace(root, "") if len(root) > 4 else text
    return text


def error_line(text: str) -> str:
    """One line of at most MOST_CHARACTERS characters without paths and addresses."""
    line = " ".join(PATH.sub("…", ADDRESS.sub("at 0x0", text)).split())
    line = line or "PermissionError: not allowed"
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 1] + "…"
