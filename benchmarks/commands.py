"""Run RayStar's commands from a benchmark, one after the other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "configs" / "recipes"


def run_raystar(command: Sequence[str], run_dir: Path, log: Path) -> int:
    """Run one command of RayStar into ``run_dir``, append its output to ``log`` and return the exit code."""
    with log.open("a", encoding="utf-8") as out:
        process = subprocess.run(
            [sys.executable, "-m", "cluster.cli", *command, "--run-dir", str(run_dir)],
            cwd=ROOT,
            stdout=out,
            stderr=out,
            check=False,
        )
    outcome = f"exit {process.returncode}, see {log}" if process.returncode else "done"
    print(f"{run_dir.name}: {outcome}", file=sys.stderr, flush=True)
    return process.returncode


def require_raystar(command: Sequence[str], run_dir: Path, log: Path) -> None:
    """Run one command of RayStar and exit with its code if it fails."""
    code = run_raystar(command, run_dir, log)
    if code:
        sys.exit(code)
