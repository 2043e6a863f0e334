"""Read the nodes of the cluster that this process has joined."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import ray
from ray._private.state import available_resources_per_node

from actors.placement.nodes import HEAD_RESOURCE, Node

QUIET_S, LONGEST_S = 1.0, 15.0  # what was stopped has let go when nothing changes for so long; it has so long for it


def read_nodes() -> tuple[Node, ...]:
    """Return the living nodes, ordered by address."""
    free = available_resources_per_node()
    nodes = []
    for entry in ray.nodes():
        if not entry["Alive"]:
            continue
        total, left = entry["Resources"], free.get(entry["NodeID"], {})
        nodes.append(
            Node(
                id=entry["NodeID"],
                address=entry["NodeManagerAddress"],
                cpus=total.get("CPU", 0.0),
                gpus=total.get("GPU", 0.0),
                free_cpus=left.get("CPU", 0.0),
                free_gpus=left.get("GPU", 0.0),
                is_head=HEAD_RESOURCE in total,
                labels=dict(entry.get("Labels") or {}),
            )
        )
    return tuple(sorted(nodes, key=lambda node: (node.address, node.id)))


def read_nodes_at_rest() -> tuple[Node, ...]:
    """Return the nodes once actors that were just stopped have let go of what they held."""
    end = time.monotonic() + LONGEST_S
    nodes = read_nodes()
    while time.monotonic() < end:
        time.sleep(QUIET_S)
        before, nodes = nodes, read_nodes()
        if nodes == before:
            break
    return nodes


def as_ray_describes(node: Node) -> Mapping[str, Any]:
    """Return a node as an entry of ``ray.nodes()``, with the CPUs that are free in place of all."""
    return {"NodeID": node.id, "Alive": True, "Resources": {"CPU": node.free_cpus, "GPU": node.gpus}}
