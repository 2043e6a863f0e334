"""Run commands on the machines of a cluster by ssh, without a password and with what they read as standard input."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from search.errors import UserError

CONNECT_S, SIDE_BY_SIDE = 10, 16
OPTIONS = ("-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_S}", "-o", "StrictHostKeyChecking=accept-new")
LOCAL = "local"  # Ray's launcher for machines that are there already


@dataclass(frozen=True, slots=True)
class RemoteHost:
    """A machine as ssh takes it: HOST or USER@HOST. ``key``: file of the private key; None: as ssh is configured."""

    name: str
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class RemoteResult:
    """How a command on a machine ended: its exit code, 255 if ssh could not connect, and its output's last line."""

    host: RemoteHost
    code: int
    line: str


def named_hosts(names: Sequence[str], cluster_file: Path | None) -> list[RemoteHost]:
    """Return the hosts of a command line: those ``names``, and those of a file of Ray's cluster launcher."""
    hosts = [RemoteHost(name) for name in names]
    if cluster_file is not None:
        hosts += launcher_hosts(read_cluster_file(cluster_file), cluster_file)
    return list(dict.fromkeys(hosts))


def read_cluster_file(path: Path) -> dict[str, Any]:
    """Return a file of Ray's cluster launcher as plain data. Raises UserError if it is none."""
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path}: no file of Ray's cluster launcher: {str(error).splitlines()[0]}") from error
    if not isinstance(config, dict) or not isinstance(config.get("provider"), dict):
        raise UserError(f"{path}: no file of Ray's cluster launcher: it has no provider")
    return config


def launcher_hosts(config: dict[str, Any], path: Path) -> list[RemoteHost]:
    """Return head and workers of a launcher's file of provider "local". Raises UserError for a cloud, whose hosts come and go."""
    provider, auth = config["provider"], config.get("auth") or {}
    if provider.get("type") != LOCAL or "head_ip" not in provider:
        raise UserError(
            f"{path}: provider.type {provider.get('type')!r}: only for {LOCAL!r} does the file name its hosts"
        )
    user = f"{auth['ssh_user']}@" if "ssh_user" in auth else ""
    key = Path(auth["ssh_private_key"]).expanduser() if "ssh_private_key" in auth else None
    return [RemoteHost(f"{user}{address}", key) for address in (provider["head_ip"], *provider.get("worker_ips", ()))]


def expected_nodes(config: dict[str, Any]) -> int:
    """Return how many nodes ``ray up`` brings up at once by a launcher's file."""
    if config["provider"].get("type") == LOCAL:
        return 1 + len(config["provider"].get("worker_ips", ()))
    types = config.get("available_node_types") or {}
    return 1 + sum(
        int(node.get("min_workers", 0)) for name, node in types.items() if name != config.get("head_node_type")
    )


def run_on_all(
    hosts: Sequence[RemoteHost], command: str, *, text: str = "", timeout_s: float = 60
) -> list[RemoteResult]:
    """Run a shell command on all hosts, side by side. ``text``: its standard input, which no process list shows."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        run: Callable[[RemoteHost], RemoteResult] = lambda host: _run(host, command, text, timeout_s)  # noqa: E731
        return list(pool.map(run, hosts))


def _run(host: RemoteHost, command: str, text: str, timeout_s: float) -> RemoteResult:
    key = ["-i", str(host.key), "-o", "IdentitiesOnly=yes"] if host.key else []
    try:
        done = subprocess.run(
            ["ssh", *OPTIONS, *key, host.name, command],
            input=text, capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise UserError("no ssh on this machine: install OpenSSH's client") from error
    except subprocess.TimeoutExpired:
        return RemoteResult(host, 255, f"no answer within {timeout_s:.0f} s")
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return RemoteResult(host, done.returncode, lines[-1] if lines else "")
