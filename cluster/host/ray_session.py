"""Starting Ray on this machine or joining a cluster, with a deadline and one clear line where that fails.

Knows addresses, ports, shared memory and the environment workers need; knows no actor and no stage.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from search.errors import UserError

SOURCE = Path(__file__).resolve().parents[2]
SHARED_MEMORY = Path("/dev/shm")
NAMESPACE = "raystar"
START_TRIES = 3
AUTH_MODE = "RAY_AUTH_MODE"
TOKEN_LOGGER = "ray._private.authentication.authentication_token_setup"
JOB_CONFIG = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # set by Ray in the driver of a submitted job
DRIVER_ENV = {
    "RAY_TRAIN_ENABLE_STATE_TRACKING": "1",  # the dashboard's Train tab
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # an actor that asks for no GPU sees none
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "120",  # Ray's 30 s are short on a busy machine
    "RAY_worker_maximum_startup_concurrency": "16",  # actors that take no core are more than Ray expects, and it warns
}
WORKER_ENV = {"TOKENIZERS_PARALLELISM": "false", "RAY_TRAIN_ENABLE_STATE_TRACKING": "1"}


class RayConfig(BaseModel):
    """Ray on this machine. Where a cluster is joined only ``join_deadline_s`` counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_cpus: int | None = Field(None, ge=1, description="CPUs Ray hands out; default: the cores of this machine")
    num_gpus: int | None = Field(None, ge=0, description="GPUs Ray hands out; default: those found")
    object_store_mib: int = Field(256, ge=80, description="shared memory of the object store (MiB)")
    dashboard: bool = Field(True, description="start Ray's dashboard")
    dashboard_port: int | None = Field(
        None, ge=1, le=65535, description="port of the dashboard; default: 8265 or above"
    )
    join_deadline_s: float = Field(30, gt=0, description="longest wait for a cluster to answer (s)")


@dataclass(frozen=True, slots=True)
class Session:
    """The Ray that a run works on. ``joined`` is False where it was started here and ends with the block."""

    address: str
    joined: bool
    dashboard: str | None
    cpus: float
    gpus: float


def requested_address(flag: str | None) -> str | None:
    """``--address``, else RAY_ADDRESS, else None: start Ray here. "local" always starts one."""
    address = flag or os.environ.get("RAY_ADDRESS") or None
    return None if address == "local" else address


def check(config: RayConfig, address: str | None) -> None:
    """Raise UserError where Ray cannot be started or joined as asked. Starts nothing and imports no Ray.

    Called before ``ray_session``, which relies on it.
    """
    if address is not None:
        _check_address(address, config.join_deadline_s)
        return
    free = shutil.disk_usage(SHARED_MEMORY).free / 2**20 if SHARED_MEMORY.exists() else 0.0
    if free < config.object_store_mib:
        raise UserError(
            f"too little shared memory: {SHARED_MEMORY} has {free:.0f} MiB free, ray.object_store_mib asks for "
            f"{config.object_store_mib}: make it larger (in a container --shm-size=1g) or ask for less"
        )
    _check_ports(config)


@contextmanager
def ray_session(config: RayConfig, address: str | None = None, *, name: str = "raystar") -> Iterator[Session]:
    """Ray for the length of the block, after ``check``. ``name`` stands in the job's metadata."""
    for key, value in DRIVER_ENV.items():
        os.environ.setdefault(key, value)
    # That there is a token is said with the dashboard's address.
    logging.getLogger(TOKEN_LOGGER).setLevel(logging.ERROR)
    import ray  # heavy, and it reads the environment set above

    options = {
        "namespace": NAMESPACE,
        "runtime_env": {"env_vars": worker_environment()},
        "log_to_driver": False,
        "logging_level": "warning",
        "job_config": ray.job_config.JobConfig(metadata={"raystar_run": name}),
        **(_local(config) if address is None else {"address": address}),
    }
    context = None
    tries = START_TRIES if address is None else 1
    while context is None:
        tries -= 1
        try:
            context = ray.init(**options)
        except Exception as error:  # a boundary: Ray raises a bare Exception where a node does not come up in time
            ray.shutdown()
            if tries == 0:
                verb = f"join Ray at {address}" if address else "start Ray on this machine"
                raise UserError(f"cannot {verb}: {_one_line(error)}") from error
    try:
        resources = ray.cluster_resources()
        yield Session(
            address=context.address_info["gcs_address"],
            joined=address is not None,
            dashboard=context.dashboard_url or None,
            cpus=resources.get("CPU", 0.0),
            gpus=resources.get("GPU", 0.0),
        )
    finally:
        ray.shutdown()


def _local(config: RayConfig) -> dict[str, Any]:
    """Arguments of ray.init for a Ray of this machine's own."""
    return {
        "address": "local",
        "num_cpus": config.num_cpus or len(os.sched_getaffinity(0)),
        "num_gpus": config.num_gpus,
        "object_store_memory": config.object_store_mib * 2**20,
        "include_dashboard": config.dashboard,
        "dashboard_port": config.dashboard_port,
    }


def worker_environment() -> dict[str, str]:
    """Environment variables for workers: where the packages are, and what a submitted job has not set itself."""
    wanted = dict(WORKER_ENV)
    job = json.loads(os.environ.get(JOB_CONFIG, "{}"))
    if not job:
        paths = [str(SOURCE), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        wanted["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    taken = (job.get("runtime_env") or {}).get("env_vars") or {}
    return {key: value for key, value in wanted.items() if key not in taken}


def in_job_copy(path: Path) -> bool:
    """Whether ``path`` lies in the copy of the working directory that Ray makes for a submitted job, and removes."""
    return JOB_CONFIG in os.environ and "working_dir_files" in path.parts


def _check_address(address: str, deadline_s: float) -> None:
    if address.startswith("ray://"):
        raise UserError(
            f"--address {address}: Ray Client is not supported: give HOST:PORT of the head node (usually port 6379), "
            "or use ray job submit"
        )
    if address != "auto":
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise UserError(f"--address {address!r} is no address: HOST:PORT of a Ray head node, auto or local")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=min(deadline_s, 10)).close()
        except OSError as error:
            raise UserError(
                f"no Ray at {address}: {error.strerror or error}: is ray start --head running there?"
            ) from error
    _check_health(address, deadline_s)


def _check_health(address: str, deadline_s: float) -> None:
    """Ask in a child process: Ray ends the process that cannot reach a cluster, after two minutes.

    A cluster may want the token in ``~/.ray/auth_token``. For an explicit address Ray uses it only under
    RAY_AUTH_MODE=token: that is tried, and set for this process, where no mode is given and the plain way is refused.
    """
    refused = _health(address, deadline_s, {})
    if refused and "AuthToken" in refused and AUTH_MODE not in os.environ:
        with_token = {AUTH_MODE: "token"}
        refused = _health(address, deadline_s, with_token)
        if refused is None:
            os.environ.update(with_token)
    if refused:
        raise UserError(f"cannot join Ray at {address}: {refused[:300]}")


def _health(address: str, deadline_s: float, extra: dict[str, str]) -> str | None:
    """None where a cluster answers, else the reason it gives. Raises UserError past the deadline."""
    flag = [] if address == "auto" else ["--address", address]
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", *flag]
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"} | extra
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=deadline_s, check=False, env=environment)
    except subprocess.TimeoutExpired as error:
        where = f"no Ray answered at {address} within {deadline_s:.0f} s"
        raise UserError(f"{where}: is it a Ray head node's port?") from error
    if done.returncode == 0:
        return None
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"its health check ended with {done.returncode}"


def _check_ports(config: RayConfig) -> None:
    for port in (0, config.dashboard_port or 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                what = f"port {port} (ray.dashboard_port) is not" if port else "no port is"
                raise UserError(f"{what} free on this machine: {error.strerror}; end what holds it") from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
