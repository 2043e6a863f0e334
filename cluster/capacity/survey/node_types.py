"""Read which nodes a cluster's autoscaler may add, from the file that its monitor was started with on the head node.

Imports the standard library and yaml only: Ray runs ``declared_limits`` on the head node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROC = Path("/proc")
MONITOR = "monitor.py"  # file name of Ray's monitor, of both of its autoscalers
CONFIG, ADDRESS = "--autoscaling-config=", "--gcs-address="  # its options
GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeType:
    """A kind of worker node of an autoscaler: what one node has, and how many there may be."""

    name: str
    cpus: float
    gpus: float
    memory_gib: float | None
    max_count: int


@dataclass(frozen=True, slots=True)
class AutoscalerLimits:
    """What an autoscaler may add: its kinds of worker nodes, and how many workers of all kinds there may be (None: any)."""

    types: tuple[NodeType, ...]
    max_workers: int | None = None


def declared_limits(port: str) -> AutoscalerLimits | None:
    """Return what the autoscaler of the Ray head at a port of this machine may add; None if it has none, or no readable file."""
    for file in config_files(port):
        try:
            config = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError):
            continue
        if isinstance(config, Mapping) and (limits := read_limits(config)) is not None:
            return limits
    return None


def config_files(port: str, proc: Path = PROC) -> Iterator[Path]:
    """Yield the files that monitors of the Ray head at ``port`` were started with."""
    for line in sorted(proc.glob("[0-9]*/cmdline")):
        try:
            arguments = line.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # the process has ended, or is another user's
        is_monitor = any(argument.endswith(MONITOR) for argument in arguments)
        if is_monitor and any(argument.startswith(ADDRESS) and argument.endswith(f":{port}") for argument in arguments):
            yield from (
                Path(argument.removeprefix(CONFIG)).expanduser()
                for argument in arguments
                if argument.startswith(CONFIG)
            )


def read_limits(config: Mapping[str, Any]) -> AutoscalerLimits | None:
    """Return what a config of Ray's cluster launcher declares; None without ``available_node_types``.

    A type without ``max_workers`` may have as many as the whole cluster, as in Ray.
    """
    types = config.get("available_node_types")
    if not isinstance(types, Mapping):
        return None
    limit = config.get("max_workers")
    types_read = []
    for name, entry in types.items():
        if name == config.get("head_node_type"):
            continue
        resources = entry.get("resources") or {}
        memory = resources.get("memory")
        types_read.append(
            NodeType(
                name=str(name),
                cpus=float(resources.get("CPU", 0)),
                gpus=float(resources.get("GPU", 0)),
                memory_gib=None if memory is None else float(memory) / GIB,
                max_count=int(entry.get("max_workers", limit or 0)),
            )
        )
    return AutoscalerLimits(tuple(types_read), None if limit is None else int(limit))
