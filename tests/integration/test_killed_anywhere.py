"""A run that is killed again and again, at any point, ends like an undisturbed one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from search.storage.tree_store import read_trees

CONFIG = Path(__file__).with_name("miniature.yaml")
MAX_LIFE_S = 75.0  # longer than any stage of the miniature takes, so that each start makes progress
MAX_STARTS = 12
DEADLINE_S = 1300

pytestmark = [pytest.mark.slow, pytest.mark.thorough, pytest.mark.timeout(3000)]

Trees = dict[tuple[str, str], tuple[int, int]]  # search and problem -> seed and number of nodes


def finished_trees(run: Path) -> Trees:
    """Return the trees of all searches in the run, complete or not. Fails if a problem of a search has two."""
    finished: Trees = {}
    for stage in ("r1/search", "r2/search"):
        for folder in (run / "rounds" / stage, run / "rounds" / f"{stage}.partial"):
            trees = list(read_trees(folder)) if folder.exists() else []
            assert len(trees) == complete_lines(folder)  # none twice
            finished |= {(stage, tree.problem.id): (tree.seed, len(tree.nodes)) for tree in trees}
    return finished


def complete_lines(folder: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in folder.glob("trees-*.jsonl"))


def run_and_kill(run: Path, environment: dict[str, str], seconds: float) -> int | None:
    """Start the run and kill it after ``seconds``. Return its exit code if it ended earlier, else None."""
    line = [sys.executable, "-m", "cluster.cli", "evolve", str(CONFIG), "--run-dir", str(run)]
    process = subprocess.Popen(line, env=environment, stdout=sys.stderr, stderr=sys.stderr, start_new_session=True)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_run_ends_complete_when_killed_anywhere(tmp_path: Path) -> None:
    environment = {**os.environ, "RAYSTAR_CACHE": str(tmp_path / "cache"), "RAY_ADDRESS": "local"}
    run, before, code = tmp_path / "run", Trees(), None
    rng = random.Random(os.environ.get("RAYSTAR_KILL_SEED", "0"))
    for number in range(MAX_STARTS):
        code = run_and_kill(run, environment, rng.uniform(10, MAX_LIFE_S) if number < MAX_STARTS - 1 else DEADLINE_S)
        trees = finished_trees(run)
        assert before.items() <= trees.items()
        stages = sorted(str(path.parent.relative_to(run / "rounds")) for path in run.glob("rounds/*/*/done.json"))
        print(f"start {number}: {len(trees)} trees, complete: {' '.join(stages)}, exit {code}", file=sys.stderr)
        before = trees
        if code is not None:
            break
    assert code == 0
    assert Counter(stage for stage, _ in before) == {"r1/search": 24, "r2/search": 24}
    assert [entry["round"] for entry in json.loads((run / "summary.json").read_text())["rounds"]] == [1, 2]
