"""Answer pairs on standard input with verdicts on standard output, a line of JSON each.

A driver runs in its grader's own environment, so this file needs nothing but Python's standard library. A line
``{"gold": …, "answer": …}`` gives ``{"verdict": true, "seconds": 0.01}``. A verdict of null says that the grader declined, or
names the error that it raised.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable

MEMORY = 6 << 30  # bytes of address space


def serve(grade: Callable[[str, str], bool | None], ready: str) -> None:
    """Bound the memory, let others go first, say that the grader is loaded, then grade until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.nice(10)
    replies = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # what a grader prints is no verdict
        print(json.dumps({"ready": ready}), file=replies, flush=True)
        for line in sys.stdin:
            pair = json.loads(line)
            start = time.perf_counter()
            reply: dict[str, object] = {}
            try:
                verdict = grade(pair["gold"], pair["answer"])
                reply["verdict"] = None if verdict is None else bool(verdict)
            except Exception as error:  # noqa: BLE001 - whatever a grader raises is a result here
                reply |= {"verdict": None, "error": f"{type(error).__name__}: {error}"[:200]}
            reply["seconds"] = round(time.perf_counter() - start, 6)
            print(json.dumps(reply), file=replies, flush=True)
