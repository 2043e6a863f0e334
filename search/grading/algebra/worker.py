"""Compare pairs of answers under limits: the script of a child process that ``search.grading.algebra.pool`` starts.

A line of JSON on standard input is ``[gold, answer]``, or ``[answer, answer, "values"]`` for a vote, which has no reference.
It gives ``1``, ``0``, ``?`` (undecided) or ``!`` (out of memory) on standard output. After CPU_SECONDS for one pair the
timer's signal ends the process, even inside one long multiplication.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from search.grading.algebra.numeric import NumericAlgebra
from search.grading.compare import compare
from search.grading.reading.reader import read
from search.grading.voting import value_of

CPU_SECONDS = 0.5
MEMORY = 2 << 30  # bytes of address space
WORDS = {True: "1\n", False: "0\n", None: "?\n"}


def verdict(gold: str, answer: str, relation: str = "") -> str:
    try:
        if relation == "values":
            return WORDS[same_value(gold, answer)]
        return WORDS[compare(read(gold), read(answer), NumericAlgebra())]
    except MemoryError:
        return "!\n"
    except Exception:  # noqa: BLE001 - the boundary: whatever a library raises on a model's text means "undecided"
        return "?\n"


def same_value(first: str, second: str) -> bool | None:
    a, b = value_of(first), value_of(second)
    return None if a is None or b is None else NumericAlgebra().equal(a, b)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - nothing a library prints may look like a verdict
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end closes standard input
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers.write("ready\n")
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        word = verdict(*json.loads(line))
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        answers.write(word)


if __name__ == "__main__":
    main()
