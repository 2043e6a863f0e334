"""Ray is started or joined; a bad address, port or size is refused in one line within its deadline."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.host import ray_session
from cluster.host.ray_session import JOB_CONFIG, RayConfig, check, requested_address, worker_environment
from search.errors import UserError

HEAD = """
import ray, sys
context = ray.init(address="local", num_cpus=1, include_dashboard=False, object_store_memory=90 * 2**20,
                   _temp_dir=sys.argv[1])
print(context.address_info["gcs_address"], flush=True)
sys.stdin.read()
"""

LOCAL = """
import os, ray
from cluster.host.ray_session import RayConfig, ray_session

def look():  # a worker's environment, and where it finds the packages
    import search.data
    return os.environ["TOKENIZERS_PARALLELISM"], search.data.__file__

with ray_session(RayConfig(num_cpus=1, object_store_mib=90, dashboard=False)) as session:
    worker = ray.get(ray.remote(look).remote(), timeout=200)
print(session.joined, int(session.cpus), *worker, ray.is_initialized())
"""

DRIVER = """
import os, sys
from cluster.host.ray_session import RayConfig, check, ray_session, requested_address
address = requested_address(sys.argv[1] if sys.argv[1:] else None)
check(RayConfig(join_deadline_s=100), address)
with ray_session(RayConfig(), address) as session:
    import ray
    look = ray.remote(lambda: os.environ["TOKENIZERS_PARALLELISM"])
    print(session.joined, session.address, ray.get(look.remote(), timeout=200))
"""


def without_ray() -> dict[str, str]:
    """Return the environment for a process that must not find this one's Ray."""
    return {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}


def test_address_comes_from_the_flag_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert requested_address(None) == "head:6379"
    assert requested_address("other:6379") == "other:6379"
    assert requested_address("local") is None
    monkeypatch.delenv("RAY_ADDRESS")
    assert requested_address(None) is None


def test_check_refuses_too_little_shared_memory() -> None:
    with pytest.raises(UserError, match=r"too little shared memory: .* asks for 900000000: make it larger"):
        check(RayConfig(object_store_mib=900_000_000), None)


def test_check_refuses_a_port_in_use() -> None:
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        port = occupied.getsockname()[1]
        with pytest.raises(UserError, match=rf"port {port} \(ray.dashboard_port\) is not free"):
            check(RayConfig(dashboard_port=port), None)


def test_check_fails_when_no_port_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_bind(self: socket.socket, address: tuple[str, int]) -> None:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(ray_session.socket.socket, "bind", refuse_bind)
    with pytest.raises(UserError, match="no port is free on this machine: Address already in use"):
        check(RayConfig(), None)


@pytest.mark.slow
def test_port_that_is_not_ray_is_refused_in_time() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(UserError, match=f"no Ray answered at {address} within 2 s"):
            check(RayConfig(join_deadline_s=2), address)


def test_worker_environment_keeps_the_settings_of_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(JOB_CONFIG, raising=False)
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    assert worker_environment()["PYTHONPATH"] == f"{ray_session.SOURCE}{os.pathsep}/somewhere"
    job = {"runtime_env": {"working_dir": "gcs://x.zip", "env_vars": {"TOKENIZERS_PARALLELISM": "true"}}}
    monkeypatch.setenv(JOB_CONFIG, json.dumps(job))
    assert set(worker_environment()) == {"RAY_TRAIN_ENABLE_STATE_TRACKING"}
    assert ray_session.is_in_job_copy(Path("/tmp/ray/session/runtime_resources/working_dir_files/_ray_pkg_1/runs/x"))
    assert not ray_session.is_in_job_copy(Path("/shared/runs/x"))


@pytest.mark.slow
def test_local_ray_ends_with_the_block() -> None:
    """Runs in a process without Ray. Workers have our environment and find the packages."""
    result = subprocess.run(
        [sys.executable, "-c", LOCAL], env=without_ray(), capture_output=True, text=True, timeout=250
    )
    expected = [f"False 1 false {ray_session.SOURCE / 'search' / 'data.py'} False", ""]
    assert result.stdout.split("\n")[-2:] == expected, result.stderr


@pytest.mark.slow
def test_running_cluster_is_joined_and_left_running(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The second driver is that of a submitted job: the job's variables stay, the others are added."""
    command = [sys.executable, "-c", HEAD, str(tmp_path_factory.getbasetemp() / "ray")]
    head = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert head.stdout is not None
        address = head.stdout.readline().strip()
        assert run_driver(without_ray(), address) == ["True", address, "false"]
        job = {"runtime_env": {"env_vars": {"TOKENIZERS_PARALLELISM": "true"}}, "metadata": {"job_submission_id": "j"}}
        submitted = without_ray() | {
            JOB_CONFIG: json.dumps(job),
            "RAY_ADDRESS": address,
            "PYTHONPATH": str(ray_session.SOURCE),
        }
        assert run_driver(submitted) == ["True", address, "true"]
    finally:
        head.communicate(input="", timeout=60)


def run_driver(environment: dict[str, str], *arguments: str) -> list[str]:
    """Run DRIVER in its own process and return the words that it prints."""
    command = [sys.executable, "-c", DRIVER, *arguments]
    result = subprocess.run(
        command, env=environment, cwd=ray_session.SOURCE, capture_output=True, text=True, timeout=250
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()
