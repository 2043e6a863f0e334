"""Start Ray on this machine or join a cluster, within a deadline. Failures are a UserError of one line."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from cluster.host import forwarding, joining, machine
from search.config import StrictConfig
from search.errors import UserError
from search.storage.object_store import STORE_VARIABLES

SOURCE = Path(__file__).resolve().parents[2]
SHARED_MEMORY = Path("/dev/shm")
NAMESPACE = "raystar"
START_TRIES = 3
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


class RayConfig(StrictConfig):
    """Ray on this machine. If a cluster is joined, only ``join_deadline_s``, ``max_gpus`` and ``forward_env`` count."""

    num_cpus: int | None = Field(None, ge=1, description="CPUs of Ray (count); default: the cores of this machine")
    num_gpus: int | None = Field(None, ge=0, description="GPUs of Ray (count); default: those of this machine")
    object_store_mib: int = Field(256, ge=80, description="shared memory of the object store (MiB)")
    dashboard: bool = Field(True, description="start Ray's dashboard")
    dashboard_port: int | None = Field(
        None, ge=1, le=65535, description="port of the dashboard; default: 8265 or above"
    )
    join_deadline_s: float = Field(30, gt=0, description="deadline for a cluster to answer (s)")
    max_gpus: int | None = Field(
        None,
        ge=0,
        description="GPUs that a joined cluster can grow to (count); default: as its autoscaler declares on the head node, "
        "else those that it has",
    )
    forward_env: tuple[str, ...] = Field(
        forwarding.DEFAULT_NAMES,
        description="environment variables that processes on a joined cluster get from this one, by name (* for any "
        "characters); their values are shown nowhere",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RaySession:
    """The Ray that a run uses.

    ``joined``: False if it was started here and ends with the block. ``forwarded``: the names of the environment variables
    that its processes get from this one.
    """

    address: str
    joined: bool
    dashboard: str | None
    cpus: float
    gpus: float
    forwarded: tuple[str, ...] = ()


def requested_address(flag: str | None) -> str | None:
    """Return ``--address``, else RAY_ADDRESS, else None. None and "local" mean: start Ray here."""
    address = flag or os.environ.get("RAY_ADDRESS") or None
    return None if address == "local" else address


def check(config: RayConfig, address: str | None) -> None:
    """Raise UserError if Ray cannot be started, or joined at ``address``. Starts nothing and does not import Ray.

    ``ray_session`` relies on this check: call it before.
    """
    if address is not None:
        joining.check_cluster(address, config.join_deadline_s)
        return
    free = shutil.disk_usage(SHARED_MEMORY).free / 2**20 if SHARED_MEMORY.exists() else 0.0
    if free < config.object_store_mib:
        raise UserError(
            f"too little shared memory: {SHARED_MEMORY} has {free:.0f} MiB free, ray.object_store_mib asks for "
            f"{config.object_store_mib}: make it larger (in a container --shm-size=1g) or ask for less"
        )
    _check_ports(config)


@contextmanager
def ray_session(config: RayConfig, address: str | None = None, *, name: str = "raystar") -> Iterator[RaySession]:
    """Start or join Ray, and shut it down or leave it after the block. ``name``: of the run, in the job's metadata."""
    for key, value in DRIVER_ENV.items():
        os.environ.setdefault(key, value)
    # The dashboard's address is logged together with the hint on the token.
    logging.getLogger(TOKEN_LOGGER).setLevel(logging.ERROR)
    import ray  # heavy, and it reads the environment set above

    if address is not None:
        from ray._raylet import Config  # type: ignore[attr-defined]

        Config.initialize("")  # ``check`` has set RAY_AUTH_MODE, which Ray does not see if it was imported before

    forwarded = {} if address is None else forwarding.select_variables(config.forward_env, os.environ)
    options = {
        "namespace": NAMESPACE,
        "runtime_env": {"env_vars": worker_environment(), **forwarding.forwarding_hook(forwarded)},
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
        yield RaySession(
            address=context.address_info["gcs_address"],
            joined=address is not None,
            dashboard=context.dashboard_url or None,
            cpus=resources.get("CPU", 0.0),
            gpus=resources.get("GPU", 0.0),
            forwarded=tuple(forwarded),
        )
    finally:
        ray.shutdown()


def _local(config: RayConfig) -> dict[str, Any]:
    """Return the arguments of ray.init that start Ray on this machine."""
    return {
        "address": "local",
        "num_cpus": config.num_cpus or machine.cores(),
        "num_gpus": config.num_gpus,
        "object_store_memory": config.object_store_mib * 2**20,
        "include_dashboard": config.dashboard,
        "dashboard_port": config.dashboard_port,
    }


def worker_environment() -> dict[str, str]:
    """Return environment variables for workers: PYTHONPATH and WORKER_ENV, without those that a submitted job sets."""
    variables = WORKER_ENV | {name: os.environ[name] for name in STORE_VARIABLES if name in os.environ}
    job = job_config(os.environ)
    if not job:
        paths = [str(SOURCE), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        variables["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    set_by_job = (job.get("runtime_env") or {}).get("env_vars") or {}
    return {key: value for key, value in variables.items() if key not in set_by_job}


def job_config(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what Ray tells the driver of a submitted job: its metadata and runtime environment; empty in other drivers."""
    config: dict[str, Any] = json.loads(environment.get(JOB_CONFIG, "{}"))
    return config


def is_in_job_copy(path: Path) -> bool:
    """Return True if ``path`` lies in a submitted job's copy of the working directory, which Ray removes afterwards."""
    return JOB_CONFIG in os.environ and "working_dir_files" in path.parts


def _check_ports(config: RayConfig) -> None:
    for port in (0, config.dashboard_port or 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                subject = f"port {port} (ray.dashboard_port) is not" if port else "no port is"
                raise UserError(f"{subject} free on this machine: {error.strerror}; end what holds it") from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
