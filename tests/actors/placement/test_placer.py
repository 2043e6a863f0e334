"""Placement on a cluster of four nodes: who runs where, what is waited for, what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """What ``cluster_scenarios`` printed, by scenario."""
    command = [sys.executable, "-m", "tests.actors.placement.cluster_scenarios"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_engines_are_spread_or_packed_by_config(results: dict[str, Any]) -> None:
    assert results["engines_are_spread"] == ["gpu1", "gpu2"]
    assert results["engines_are_packed"] == 1
    assert results["engines_without_cpus_are_spread"] == ["cpu", "gpu1", "gpu2", "head"]


def test_one_engine_has_its_gpus_on_one_node(results: dict[str, Any]) -> None:
    assert results["engine_has_all_gpus_of_a_node"] == [["gpu1", 2], ["gpu2", 2]]


def test_shares_of_cards_are_two_on_each(results: dict[str, Any]) -> None:
    assert results["shares_fill_the_cards"] == [2, 2, 2, 2]


def test_small_engines_move_when_a_large_one_needs_a_node(results: dict[str, Any]) -> None:
    """One GPU of each node is in use; then a model comes that is spread over two GPUs of one node."""
    assert results["small_engines_move_for_a_large_one"] == [2, 1, True]


def test_missing_room_is_said_and_then_refused(results: dict[str, Any]) -> None:
    refusal = results["engine_without_room_is_refused"]
    assert refusal.startswith("no room in 3 s: 1 node with 2 GPUs (policy-2) missing")
    assert any(
        line.startswith("waiting for 1 node with 2 GPUs (policy-2), 0:0") and line.endswith(" min")
        for line in results["lines"]
    )


def test_cause_of_a_broken_engine_reaches_the_driver(results: dict[str, Any]) -> None:
    message = results["broken_engine_is_named"]
    name, _, cause = message.partition(" could not start on broken: ")
    assert name in ("policy-0", "policy-1")
    assert cause == "ValueError: no weights (node 10.0.0.9; log /logs/worker-1.err)"


def test_executors_use_cpu_nodes_first_and_the_head_last(results: dict[str, Any]) -> None:
    """Nodes with 4 CPUs and 2 GPUs keep a CPU of each GPU free: two spare cores, which run four steps at once."""
    placed, lines = results["executors_take_every_node"]
    assert [placed[0], placed[3]] == [["cpu", 0], ["head", 0]] and sorted(placed[1:3]) == [["gpu1", 4], ["gpu2", 4]]
    spare = "2 on spare CPUs of 2 GPU nodes (1 CPU of each GPU is kept free)"
    assert lines[0] == f"executors: 1 on 1 CPU node, {spare}, 1 on the head node"


def test_cpu_only_keeps_executors_on_cpu_nodes(results: dict[str, Any]) -> None:
    placed, lines = results["executors_stay_on_cpu_nodes"]
    assert placed == [["cpu", 0], ["cpu", 0]] and lines[0] == "executors: 2 on 1 CPU node"
    assert "placement.executors is cpu_only, and 5 of 9 executors" in results["executors_are_refused_without_cpu_nodes"]


def test_workers_run_one_on_each_node(results: dict[str, Any]) -> None:
    assert sorted(results["workers_take_every_node"]) == ["cpu", "gpu1", "gpu2", "head"]


def test_training_gets_the_cpus_that_are_free(results: dict[str, Any]) -> None:
    free, refused = results["training_waits_for_free_cpus"]
    assert free == [[1, 0], [3, 2], [4, 0], [4, 2]]
    assert refused.startswith("no room in 3 s: 1 node with 2 GPUs (training-3) missing")


def test_everything_placed_is_given_back(results: dict[str, Any]) -> None:
    assert results["nothing_is_left"] is True
