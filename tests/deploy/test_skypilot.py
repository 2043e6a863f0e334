"""deploy/skypilot/evolve.yaml: its commands, run with programs that write down how they were called, and its form."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cluster.cli import parse_arguments
from tests.deploy.manifests import DEPLOY, ROOT, only
from tests.deploy.tool_environments import tool_environment
from tests.fakes.commands import RecordedCommands

FILE = DEPLOY / "skypilot" / "evolve.yaml"
TASK = only(FILE)
# What SkyPilot does with a file, but the cloud: schema, resources, environment and secrets.
PARSE = """
import sys, sky
task = sky.Task.from_yaml(sys.argv[1])
print(task.name, task.num_nodes, next(iter(task.resources)).accelerators)
"""


@pytest.fixture
def commands(tmp_path: Path) -> RecordedCommands:
    recorded = RecordedCommands(tmp_path / "raystar-venv" / "bin", ("RAY_AUTH_MODE", "RAY_ADDRESS"))
    recorded.add("raystar", answers={"ray": '[{"node_id": "a"}, {"node_id": "b"}]'})
    return recorded


def run_on_node(home: Path, rank: int) -> subprocess.CompletedProcess[str]:
    """Run the task's commands as SkyPilot does on a node of two."""
    environment = {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "SKYPILOT_NODE_IPS": "10.0.0.7\n10.0.0.8",
        "SKYPILOT_NODE_RANK": str(rank),
        "SKYPILOT_NUM_NODES": "2",
        "SKYPILOT_NUM_GPUS_PER_NODE": "8",
        "RAY_ADDRESS": "127.0.0.1:6380",
        "CONFIG": TASK["envs"]["CONFIG"],
        "RUN_DIR": "s3://bucket/runs/x",
    }
    script = TASK["run"].replace("ulimit -n 65536", "ulimit -n 1024")
    return subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60)


def test_first_node_runs_evolve_on_the_cluster_of_all(commands: RecordedCommands, tmp_path: Path) -> None:
    result = run_on_node(tmp_path, 0)
    assert result.returncode == 0, result.stderr
    call = commands.calls()[-1]
    assert call.arguments == [
        "raystar", "evolve", "configs/gsm8k_qwen_gpu.yaml", "--run-dir", "s3://bucket/runs/x", "--address", "10.0.0.7:6379"
    ]  # fmt: skip
    assert call.environment == {"RAY_AUTH_MODE": "token", "RAY_ADDRESS": None}
    assert (ROOT / parse_arguments(call.arguments[1:]).config).is_file()


def test_other_nodes_join_the_first_and_leave_the_run_to_it(commands: RecordedCommands, tmp_path: Path) -> None:
    result = run_on_node(tmp_path, 1)
    assert result.returncode == 0, result.stderr
    assert [call.arguments[:3] for call in commands.calls()] == [
        ["ray", "health-check", "--address"],
        ["ray", "start", "--address=10.0.0.7:6379"],
    ]


def test_ray_of_skypilot_is_left_alone(commands: RecordedCommands, tmp_path: Path) -> None:
    run_on_node(tmp_path, 1)
    start = commands.calls()[-1].arguments
    assert "--dashboard-agent-listen-port=52366" in start  # SkyPilot's has 52365
    commands_only = "\n".join(line for line in TASK["run"].splitlines() if not line.lstrip().startswith("#"))
    assert "ray stop" not in commands_only
    assert "symmetric-run" not in commands_only


def test_what_must_be_given_has_no_default() -> None:
    assert TASK["envs"]["RUN_DIR"] is None
    assert TASK["secrets"] == {"RAY_AUTH_TOKEN": None}


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_skypilot_parses_the_task(tmp_path: Path) -> None:
    python = tool_environment("skypilot") / "python"
    text = FILE.read_text().replace("RUN_DIR: null", "RUN_DIR: s3://b/r").replace("TOKEN: null", "TOKEN: t")
    (tmp_path / "task.yaml").write_text(text)
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    result = subprocess.run(
        [python, "-c", PARSE, str(tmp_path / "task.yaml")], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.split(maxsplit=2)[:2] == ["raystar", "2"]
    assert "H100" in result.stdout
