"""The example of docs/api.md runs as it stands, without Ray or a model library, and prints its tree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "search_from_python.py"
# Runs the example as a script and fails if it has loaded anything heavy.
RUN = f"""
import runpy, sys
runpy.run_path({str(EXAMPLE)!r}, run_name="__main__")
heavy = {{"ray", "torch", "transformers", "vllm"}} & sys.modules.keys()
sys.exit(f"loaded {{sorted(heavy)}}" if heavy else 0)
"""


def test_example_prints_its_tree_and_answer() -> None:
    completed = subprocess.run(
        [sys.executable, "-c", RUN],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (completed.returncode, completed.stderr) == (0, "")
    lines = completed.stdout.splitlines()
    assert lines[0] == "A box has 3 rows of 4 eggs. 5 of them break. How many are whole?  N=8 Q=+0.50"
    assert "      answer 7  N=6 Q=+1.00 correct" in lines
    assert "    print(eggs - five)  N=1 Q=-1.00 failed" in lines
    assert lines[-2:] == [
        "answer 7, correct; majority of ['7', '2', '17']: 7",
        "6 requests, 6 programs, failures {'exception': 1}",
    ]


def test_document_shows_the_output_of_its_example() -> None:
    output = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert output in (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
