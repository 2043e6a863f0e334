"""``raystar search`` on three hosts of this machine, with scripted engines in place of vLLM: a minute of ``make test``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.storage.tree_store import read_trees
from tests.fakes.tiny_model import make_policy
from tests.hosts.ray_hosts import NO_TOKENS, PROJECT, head_address, hosts_by_role, start_ray
from tests.hosts.room import NoRoom, Room

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

CONFIG = """
name: scripted
problems:
  train: {name: curriculum, split: worked, count: 30, levels: [1, 2]}
  validation: {name: curriculum, split: worked, count: 4, seed: 12, levels: [1, 1]}
  evaluation:
    heldout: {name: curriculum, split: worked, count: 4, seed: 13, levels: [1, 1]}
  overlap_ngram: 0
policy: {engine: {replicas: 3, max_model_len: 2048, num_cpus: 0.3}}
executor: {replicas: 3, num_cpus: 0.3}
workers: {workers: 3, trees_in_flight: 4, num_cpus: 0.3}
search: {rollouts: 2, candidates: 2, max_depth: 4}
"""


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    try:
        with Room(3, shared=[PROJECT]) as room:
            start_ray(room, [2, 2, 2], NO_TOKENS)
            yield room
    except NoRoom as reason:
        pytest.skip(str(reason))


def test_search_uses_every_host_and_stores_every_tree(room: Room) -> None:
    """One engine, executor and search worker on each host; their trees lie in the run directory."""
    config, run = room.disk / "config.yaml", room.disk / "run"
    config.write_text(CONFIG)
    policy = make_policy(room.disk / "policy", width=32, intermediate=64, layers=1, heads=2, positions=2048)
    script = PROJECT / "tests" / "integration" / "scripted_evolve.py"
    options = ["--policy", str(policy), "--run-dir", str(run), "--address", head_address(room)]
    room.run(
        2, sys.executable, str(script), "search", str(config), *options,
        env={**NO_TOKENS, "PYTHONPATH": str(PROJECT)}, cwd=Path("/"), timeout=200,
    )  # fmt: skip
    (stage,) = run.glob("rounds/*/search")
    assert len(list(read_trees(stage))) == json.loads((stage / "done.json").read_text())["problems"] > 20
    addresses = {room.address(host) for host in room.hosts}
    assert hosts_by_role(run) == {"policy": addresses, "executor": addresses, "search": addresses}


def test_run_dir_on_disks_of_their_own_is_refused(room: Room) -> None:
    """Each host has a /tmp of its own. The refusal names the hosts, and leaves nothing on any of them."""
    config = room.disk / "config.yaml"
    config.write_text(CONFIG)
    script = PROJECT / "tests" / "integration" / "scripted_evolve.py"
    options = ["--policy", str(room.disk / "policy"), "--run-dir", "/tmp/runs/x", "--address", head_address(room)]
    if not (room.disk / "policy").exists():
        make_policy(room.disk / "policy", width=32, intermediate=64, layers=1, heads=2, positions=2048)
    done = room.run(
        2, sys.executable, str(script), "search", str(config), *options,
        env={**NO_TOKENS, "PYTHONPATH": str(PROJECT)}, cwd=Path("/"), timeout=60, check=False,
    )  # fmt: skip
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("raystar: ")]
    assert done.returncode == 2
    assert "run directory /tmp/runs/x is not on storage that all nodes reach" in line
    assert f"h1 ({room.address(1)})" in line and f"h3 ({room.address(3)})" in line and "h2 (" not in line
    for host in room.hosts:
        assert room.run(host, "ls", "/tmp/runs", check=False).returncode != 0
