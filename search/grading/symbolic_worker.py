"""The script that ``search.grading.symbolic`` runs: pairs of answers in, verdicts out, under limits. Imports nothing of the house.

A line of JSON ``[gold, answer]`` on standard input gives ``1`` or ``0`` on standard output. More than CPU_SECONDS for one
pair and the timer's signal ends the process, wherever it is: even inside one long multiplication, where no exception helps.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import sys

from math_verify import parse, verify

CPU_SECONDS = 2.0
MEMORY = 2 << 30  # bytes of address space


def verdict(gold: str, answer: str) -> bool:
    left, right = (parse(f"\\boxed{{{text}}}", parsing_timeout=None) for text in (gold, answer))
    return bool(left and right and verify(left, right, timeout_seconds=None))


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
        try:
            equal = verdict(*json.loads(line))
        except Exception:  # noqa: BLE001 - the boundary: whatever sympy raises on a model's text means "not equal"
            equal = False
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        answers.write("1\n" if equal else "0\n")


if __name__ == "__main__":
    main()
