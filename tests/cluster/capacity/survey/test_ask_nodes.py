"""A joined cluster is asked for its nodes, its autoscaler's limits, and the builds on each kind of node."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.ray_head import ROOT, environment, ray_head, raystar

SURVEY = """
import json, sys
from cluster.capacity.survey.ask_nodes import survey_cluster
from cluster.host.ray_session import RayConfig, check, ray_session
check(RayConfig(join_deadline_s=100), sys.argv[1])
with ray_session(RayConfig(), sys.argv[1]):
    survey = survey_cluster(None)
supply = survey.supply
print(json.dumps({
    "nodes": [[node.cpus, node.gpus, node.is_head] for node in supply.nodes],
    "can_add": [[node.name, node.cpus, node.gpus] for node in supply.can_add],
    "at_most": supply.add_at_most,
    "builds": [[build.kind, build.gpus] for build in survey.builds],
    "vllm": sorted({build.vllm for build in survey.builds}),
    "warnings": survey.warnings,
}))
"""

pytestmark = pytest.mark.slow


LISTS = ("initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands", "rsync_exclude")
# A cluster of Ray's provider for tests: the head, and up to two nodes with four GPUs, of which none is there.
GROWING = {
    "cluster_name": "growing",
    "max_workers": 5,
    "provider": {
        "type": "fake_multinode",
        "use_node_id_as_ip": True,
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
    },
    "available_node_types": {
        "head": {"resources": {"CPU": 2}, "node_config": {}, "max_workers": 0},
        "four": {"resources": {"CPU": 8, "GPU": 4}, "node_config": {}, "min_workers": 0, "max_workers": 2},
    },
    "head_node_type": "head",
    "upscaling_speed": 1.0,
    "idle_timeout_minutes": 1,
    "auth": {},
    "docker": {},
    "file_mounts": {},
    "file_mounts_sync_continuously": False,
    **{name: [] for name in (*LISTS, "rsync_filter", "cluster_synced_files")},
    **{f"{node}_start_ray_commands": [] for node in ("head", "worker")},
}


@pytest.fixture(scope="module")
def growing_cluster() -> Iterator[str]:
    """Ray's AutoscalingCluster makes such a head too, but it ends every other Ray on the machine first."""
    with ray_head(cpus=2, autoscaling=GROWING) as address:
        yield address


def test_growing_cluster_says_what_it_may_add(growing_cluster: str) -> None:
    command = [sys.executable, "-c", SURVEY, growing_cluster]
    result = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=200)
    assert result.returncode == 0, result.stderr
    survey = json.loads(result.stdout.splitlines()[-1])
    assert survey["nodes"] == [[2, 0, True]]
    assert survey["can_add"] == [["a four", 8, 4]] * 2 and survey["at_most"] == 5
    assert survey["builds"] == [["CPU", 0]] and survey["vllm"] == ["cpu"] and survey["warnings"] == []


def test_more_gpus_than_a_cluster_can_grow_to_are_refused(growing_cluster: str, tmp_path: Path) -> None:
    wanted = ["--policy.engine.gpus=1", "--policy.engine.replicas=9", "--address", growing_cluster]
    result = raystar("search", str(ROOT / "configs" / "arithmetic.yaml"), *wanted, folder=tmp_path)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "search needs 9 GPUs: 9 policy; the cluster has 0 and can grow to 8: " in line
    assert list(tmp_path.iterdir()) == []
