"""A run that is killed in its first search and started again. The policy is trained, but a scripted one serves for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from search.storage.tree_store import read_trees

DEADLINE_S = 300
CONFIG = """
name: killed
seed: 3
problems:
  train: {name: curriculum, split: worked, count: 24, seed: 11, levels: [1, 2]}
  validation: {name: curriculum, split: worked, count: 4, seed: 12, levels: [1, 1]}
  evaluation:
    heldout: {name: curriculum, split: worked, count: 4, seed: 13, levels: [1, 1]}
  overlap_ngram: 0
policy:
  recipe:
    solutions: [8]
    size: {hidden_size: 32, layers: 1, heads: 2, intermediate_size: 64, vocabulary: 400, context: 256}
    train: {epochs: 1, batch_size: 8, workers: 1, cpus_per_worker: 1}
  engine: {max_model_len: 256, num_cpus: 0}
executor: {num_cpus: 0}
workers: {workers: 1, trees_in_flight: 4, num_cpus: 0} # few, so that a search can be killed in the middle
search: {rollouts: 6, candidates: 4, max_depth: 8}
method: {policy: null, reward_model: null}
rounds: [{values: terminal}]
evaluation: {samples: 4}
ray: {dashboard: false}
"""

Trees = dict[str, tuple[int, int]]  # problem -> seed and number of nodes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_killed_search_resumes_and_keeps_its_trees(tmp_path: Path) -> None:
    """Every problem has exactly one tree, and those from before the kill are unchanged."""
    config, run = tmp_path / "config.yaml", tmp_path / "run"
    config.write_text(CONFIG)
    script = str(Path(__file__).with_name("scripted_evolve.py"))
    command = [sys.executable, script, "evolve", str(config), "--run-dir", str(run)]
    root = str(Path(__file__).resolve().parents[2])
    cache = str(tmp_path / "cache")
    environment = {**os.environ, "PYTHONPATH": root, "RAY_ADDRESS": "local", "RAYSTAR_CACHE": cache}
    before = kill_in_search(command, environment, run / "rounds" / "r1" / "search.partial", at_least=3)
    assert 3 <= len(before) < 24
    finished_stages = {path: path.stat().st_mtime_ns for path in run.glob("rounds/r0/*/done.json")}
    assert {path.parent.name for path in finished_stages} == {"base", "evaluate"}
    resumed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE_S)
    assert resumed.returncode == 0, resumed.stdout[-3000:] + resumed.stderr[-3000:]
    search = run / "rounds" / "r1" / "search"
    trees = list(read_trees(search))
    assert len(trees) == len({tree.problem.id for tree in trees}) == 24
    assert sum(file.read_bytes().count(b"\n") for file in search.glob("trees-*.jsonl")) == 24
    assert before.items() <= {tree.problem.id: (tree.seed, len(tree.nodes)) for tree in trees}.items()
    assert {path: path.stat().st_mtime_ns for path in finished_stages} == finished_stages  # not run again
    assert [entry["round"] for entry in json.loads((run / "summary.json").read_text())["rounds"]] == [1]


def kill_in_search(command: list[str], environment: dict[str, str], folder: Path, at_least: int) -> Trees:
    """Start the run, kill it once ``folder`` has ``at_least`` trees, and return the trees that it had finished."""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait_for_trees(folder, process, at_least)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return {tree.problem.id: (tree.seed, len(tree.nodes)) for tree in read_trees(folder)}


def _wait_for_trees(folder: Path, process: subprocess.Popen[bytes], at_least: int) -> None:
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        assert process.poll() is None, "the run ended before it could be killed"
        if folder.exists() and len(list(read_trees(folder))) >= at_least:
            return
        time.sleep(0.05)
    raise AssertionError(f"no {at_least} trees in {DEADLINE_S} s")
