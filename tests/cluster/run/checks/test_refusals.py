"""Real commands on a real cluster whose GPUs Ray only counts: what does not fit is one line, and nothing is left behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.ray_head import ROOT, environment, ray_head, raystar

CONFIG = str(ROOT / "configs" / "arithmetic.yaml")
ACTORS = """
import ray, sys
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="error")
print([actor["class_name"] for actor in ray._private.state.actors().values() if actor["State"] != "DEAD"])
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def four_gpus() -> Iterator[str]:
    """A cluster of one node with four GPUs in Ray's accounting, and with the builds of this machine."""
    with ray_head(cpus=4, gpus=4) as address:
        yield address


def refusal(folder: Path, *arguments: str) -> str:
    """Return the line on stderr of a refused command; assert exit code 2 and that nothing was written."""
    result = raystar(*arguments, folder=folder)
    assert (result.returncode, result.stdout) == (2, ""), result.stderr
    (line,) = result.stderr.splitlines()
    assert list(folder.iterdir()) == []
    return line


def test_too_many_gpus_are_refused_on_a_fixed_cluster(four_gpus: str, tmp_path: Path) -> None:
    engines = ["--policy.engine.gpus=1", "--policy.engine.replicas=4", "--reward_model.engine.gpus=1"]
    others = ["--reward_model.engine.replicas=2", "--placement.keep_engines=false", "--placement.train_together=false"]
    line = refusal(tmp_path, "evolve", CONFIG, *engines, *others, "--address", four_gpus)
    assert "round 2 (promote) needs 6 GPUs: 4 policy, 2 reward model; the cluster has 4 and declares no growth" in line


def test_tensor_parallel_over_a_node_is_refused(four_gpus: str, tmp_path: Path) -> None:
    line = refusal(tmp_path, "search", CONFIG, "--policy.engine.gpus=8", "--address", four_gpus)
    assert "policy.engine: one policy engine needs 8 GPUs of one node (tensor parallel)" in line
    assert line.endswith("set policy.engine.gpus to 4 or less, and more replicas")


def test_cpu_build_is_refused_when_gpus_are_asked_for(four_gpus: str, tmp_path: Path) -> None:
    line = refusal(tmp_path, "search", CONFIG, "--policy.engine.gpus=1", "--address", four_gpus)
    assert "policy.engine: policy engines ask for GPUs, and node " in line and " has the CPU build of vLLM: " in line


def test_dry_run_compares_with_the_cluster_it_names(four_gpus: str, tmp_path: Path) -> None:
    wanted = ["--policy.engine.gpus=1", "--policy.engine.replicas=5", "--dry-run"]
    assert "needs 5 GPUs" in refusal(tmp_path, "search", CONFIG, *wanted, "--address", four_gpus)
    alone = raystar("search", CONFIG, *wanted, folder=tmp_path)
    assert alone.returncode == 0 and "this machine would not do: search needs 5 GPUs" in alone.stdout


def test_refused_commands_leave_no_actor_behind(four_gpus: str) -> None:
    command = [sys.executable, "-c", ACTORS, four_gpus]
    result = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=100)
    assert result.stdout.splitlines()[-1] == "[]", result.stderr
