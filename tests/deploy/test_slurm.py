"""deploy/slurm/evolve.sbatch, run with programs that write down how they were called. tests/hosts runs it under Slurm."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.cli import parse_arguments
from tests.deploy.manifests import DEPLOY
from tests.fakes.commands import RecordedCommands

SCRIPT = DEPLOY / "slurm" / "evolve.sbatch"
VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH", "RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT", "OMP_NUM_THREADS")
ARGUMENTS = ["configs/arithmetic.yaml", "--run-dir", "/shared/runs/x", "--seed=3"]


@pytest.fixture
def commands(tmp_path: Path) -> RecordedCommands:
    """An environment with ``raystar`` in a project's directory, and ``srun`` in it, which also looks at the token."""
    recorded = RecordedCommands(tmp_path / ".venv" / "bin", VARIABLES)
    recorded.add("raystar", "ray", answers={"python": "10.0.0.7"})
    look = 'stat -c "%a %s" "$RAY_AUTH_TOKEN_PATH" > token; '
    recorded.add("record_srun")
    srun = recorded.folder / "srun"
    srun.write_text(f'#!/bin/bash\n{look}exec record_srun "$@"\n')
    srun.chmod(0o755)
    return recorded


def submit(folder: Path, arguments: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script as Slurm does on the first of two nodes."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "SLURM_SUBMIT_DIR": str(folder),
        "SLURM_JOB_ID": "12345",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_ON_NODE": "16",
        "OMP_NUM_THREADS": "1",
        **variables,
    }
    return subprocess.run(
        ["bash", str(SCRIPT), *arguments], env=environment, capture_output=True, text=True, timeout=60
    )


def test_script_starts_ray_on_all_nodes_and_the_run_on_the_first(commands: RecordedCommands, tmp_path: Path) -> None:
    result = submit(tmp_path, ARGUMENTS)
    assert result.returncode == 0, result.stderr
    (call,) = [call for call in commands.calls() if call.arguments[0] == "record_srun"]
    words = call.arguments
    start, run = words[words.index("ray") : words.index("--")], words[words.index("--") + 1 :]
    assert start[:4] == ["ray", "symmetric-run", "--address", "10.0.0.7:22345"]
    assert start[4:] == ["--min-nodes", "2", "--num-cpus", "16"]
    assert run == ["raystar", "evolve", *ARGUMENTS, "--address", "10.0.0.7:22345"]
    assert parse_arguments(run[1:]).address == "10.0.0.7:22345"


def test_nodes_share_a_token_that_only_its_owner_reads(commands: RecordedCommands, tmp_path: Path) -> None:
    assert submit(tmp_path, ARGUMENTS).returncode == 0
    (call,) = [call for call in commands.calls() if call.arguments[0] == "record_srun"]
    assert call.environment["RAY_AUTH_MODE"] == "token"
    assert (tmp_path / "token").read_text().split()[0] == oct(stat.S_IRUSR | stat.S_IWUSR).removeprefix("0o")
    token = Path(str(call.environment["RAY_AUTH_TOKEN_PATH"]))
    assert token.parent == tmp_path
    assert not token.exists()  # it goes with the job
    assert not re.search(r"[0-9a-f]{32}", " ".join(call.arguments))


def test_nodes_have_minutes_to_start_and_no_thread_limit(commands: RecordedCommands, tmp_path: Path) -> None:
    assert submit(tmp_path, ARGUMENTS).returncode == 0
    (call,) = [call for call in commands.calls() if call.arguments[0] == "record_srun"]
    assert call.environment["RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT"] == "300"
    assert call.environment["OMP_NUM_THREADS"] is None


def test_address_of_the_first_node_can_be_named(commands: RecordedCommands, tmp_path: Path) -> None:
    assert submit(tmp_path, ARGUMENTS, RAYSTAR_HEAD_IP="192.168.1.4").returncode == 0
    (call,) = [call for call in commands.calls() if call.arguments[0] == "record_srun"]
    assert call.arguments[-1] == "192.168.1.4:22345"


def test_script_ends_before_ray_without_environment_or_config(tmp_path: Path) -> None:
    missing = submit(tmp_path, ARGUMENTS)
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
    assert "set RAYSTAR_ENVIRONMENT" in missing.stderr
    assert submit(tmp_path, []).returncode == 2


def test_options_of_the_job_ask_for_one_ray_a_node() -> None:
    lines = [line for line in SCRIPT.read_text().splitlines() if line.startswith("#SBATCH ")]
    options = dict(line.removeprefix("#SBATCH --").partition("=")[::2] for line in lines)
    assert options["ntasks-per-node"] == "1"
    assert (
        "exclusive" in options
    )  # `ray symmetric-run` ends with `ray stop`, which ends every Ray of the user on a node
    assert "requeue" in options
