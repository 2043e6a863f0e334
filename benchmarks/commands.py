"""RayStar's commands as a benchmark runs them, one after the other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "configs" / "recipes"


def raystar(command: Sequence[str], where: Path, log: Path) -> None:
    """One command of RayStar into the run directory ``where``, the benchmark ends where it fails."""
    with log.open("a", encoding="utf-8") as out:
        code = subprocess.run(
            [sys.executable, "-m", "cluster.cli", *command, "--run-dir", str(where)],
            cwd=ROOT,
            stdout=out,
            stderr=out,
            check=False,
        ).returncode
    print(f"{where}: {'done' if code == 0 else f'exit {code}, see {log}'}", file=sys.stderr, flush=True)
    if code:
        sys.exit(code)
