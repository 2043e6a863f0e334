"""RayStar's commands as a benchmark runs them, one after the other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "configs" / "recipes"


def raystar(command: Sequence[str], where: Path, log: Path) -> int:
    """One command of RayStar into the run directory ``where``, its output to the end of ``log``; returns the exit code."""
    with log.open("a", encoding="utf-8") as out:
        done = subprocess.run(
            [sys.executable, "-m", "cluster.cli", *command, "--run-dir", str(where)],
            cwd=ROOT,
            stdout=out,
            stderr=out,
            check=False,
        )
    told = f"exit {done.returncode}, see {log}" if done.returncode else "done"
    print(f"{where.name}: {told}", file=sys.stderr, flush=True)
    return done.returncode


def needed(command: Sequence[str], where: Path, log: Path) -> None:
    """The same, where nothing that follows makes sense without it: the benchmark ends if it fails."""
    code = raystar(command, where, log)
    if code:
        sys.exit(code)
