"""Several trees a problem on real Ray: a round whose passes escalate, and a pass that resumes after a tree is lost.

The policy is trained, but a scripted one serves for it, so that trees do not depend on how requests were batched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from search.seeds import derive, tree_seed
from search.serialization import dump
from search.storage.tree_store import read_lines, read_trees, tree_files
from search.tree import Tree, TreeKey

DEADLINE_S = 300
SEED = 3
CONFIG = f"""
name: trees
seed: {SEED}
problems:
  train: {{name: curriculum, split: worked, count: 12, seed: 11, levels: [1, 2]}}
  validation: {{name: curriculum, split: worked, count: 4, seed: 12, levels: [1, 1]}}
  evaluation:
    heldout: {{name: curriculum, split: worked, count: 4, seed: 13, levels: [1, 1]}}
  overlap_ngram: 0
policy:
  recipe:
    solutions: [8]
    size: {{hidden_size: 32, layers: 1, heads: 2, intermediate_size: 64, vocabulary: 400, context: 256}}
    train: {{epochs: 1, batch_size: 8, workers: 1, cpus_per_worker: 1}}
  engine: {{max_model_len: 256, num_cpus: 0}}
executor: {{num_cpus: 0}}
workers: {{workers: 2, trees_in_flight: 4, chunk_size: 1, num_cpus: 0}}
search: {{rollouts: 2, candidates: 2, max_depth: 8}}
method: {{policy: null, reward_model: null}}
rounds: [{{values: terminal, rollouts: [1, 3], seeds: [1, 2]}}]
evaluation: {{samples: 2}}
ray: {{dashboard: false}}
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def run_evolve(config: Path, run: Path, cache: Path) -> str:
    """Run or resume the run and return its output."""
    script = str(Path(__file__).with_name("scripted_evolve.py"))
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, script, "evolve", str(config), "--run-dir", str(run)],
        env={**os.environ, "PYTHONPATH": root, "RAY_ADDRESS": "local", "RAYSTAR_CACHE": str(cache)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def read_all(directory: Path) -> dict[TreeKey, str]:
    """Return the trees of a directory by key, as text without the time that they took."""
    return {tree.key: text_of(tree) for tree in read_trees(directory)}


def text_of(tree: Tree) -> str:
    content = json.loads(dump(tree))
    del content["cost"]["seconds"]
    return json.dumps(content)


def lose_tree(directory: Path, key: TreeKey) -> None:
    """Turn a finished stage into one that was killed before the tree ``key`` was stored."""
    partial = directory.with_name(f"{directory.name}.partial")
    shutil.move(directory, partial)
    (partial / "done.json").unlink()
    for file in tree_files(partial):
        keep = [line for _, line in read_lines(file) if key_of(line) != key]
        file.write_bytes(b"".join(keep))


def key_of(line: bytes) -> TreeKey:
    content = json.loads(line)
    return content["problem"]["id"], content.get("number", 0)


def test_passes_grow_several_trees_and_resume_by_number(tmp_path: Path) -> None:
    config, run, cache = tmp_path / "config.yaml", tmp_path / "run", tmp_path / "cache"
    config.write_text(CONFIG)
    run_evolve(config, run, cache)
    first, second = run / "rounds/r1/search", run / "rounds/r1/search-2"
    once, twice = read_all(first), read_all(second)
    assert len(once) == 12 and {number for _, number in once} == {0}
    unsolved = {tree.problem.id for tree in read_trees(first) if not tree.is_solved}
    assert unsolved and set(twice) == {(name, number) for name in unsolved for number in (0, 1)}
    search_seed = derive(SEED, "search", 1, 2)
    assert all(tree.seed == tree_seed(search_seed, *tree.key) for tree in read_trees(second))
    assert all(twice[name, 0] != twice[name, 1] for name in unsolved)
    lost = (min(unsolved), 1)
    for stage in ("harvest", "promote", "evaluate"):
        shutil.rmtree(run / "rounds/r1" / stage, ignore_errors=True)
    lose_tree(second, lost)
    output = run_evolve(config, run, cache)
    assert f"search, pass 2: {len(twice)}/{len(twice)}" in output
    assert read_all(first) == once
    assert read_all(second) == twice  # the lost tree has grown again, as it was; its sibling did not stand for it
    facts = json.loads((second / "done.json").read_text())
    assert (facts["trees"], facts["problems_searched"]) == (2 * len(unsolved), len(unsolved))
