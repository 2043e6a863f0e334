"""Describe what a run may use: this machine, or the nodes of a cluster and those that it can add."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from actors.placement.nodes import HEAD_RESOURCE
from cluster.capacity.bundles import MIB_PER_GIB, NodeSupply, Supply
from cluster.capacity.survey.node_types import GIB, AutoscalerLimits, NodeType
from cluster.host import machine
from cluster.host.ray_session import RayConfig

ACCELERATOR = "accelerator_type:"  # resource that Ray gives a node with GPUs, followed by their kind
ASSUMED_GPUS, ASSUMED_CPUS_PER_GPU = 8, 8  # of a node with GPUs that can be added, where no node is there to go by


def machine_supply(config: RayConfig) -> Supply:
    """Return what Ray would have if it were started on this machine. Starts nothing."""
    lines = machine.gpus()
    cards_found = _visible(len(lines))
    node = NodeSupply(
        name="this machine",
        cpus=float(config.num_cpus or machine.cores()),
        gpus=float(cards_found if config.num_gpus is None else config.num_gpus),
        memory_gib=machine.memory()[0],
        is_head=True,
        accelerator=lines[0].split(",")[0].strip() if lines else None,
        gpu_memory_gib=smallest_card(lines),
    )
    return Supply(nodes=(node,))


def smallest_card(lines: Iterable[str]) -> float | None:
    """Return the memory of the smallest GPU (GiB) in lines of ``machine.gpus``, None where there is none."""
    sizes = [float(line.split(",")[1].split()[0]) / MIB_PER_GIB for line in lines]
    return min(sizes, default=None)


def cluster_supply(nodes: Sequence[Mapping[str, Any]], limits: AutoscalerLimits | None, max_gpus: int | None) -> Supply:
    """Return what a cluster has and can add.

    Args:
        nodes: as ``ray.nodes`` describes them.
        limits: what its autoscaler declares; None for a cluster of fixed size.
        max_gpus: GPUs that it can grow to, whatever the autoscaler declares; None: as it declares.
    """
    present = tuple(_node(node) for node in nodes if node["Alive"])
    added = tuple(_not_yet_there(present, limits)) if limits is not None else ()
    limit = None
    if limits is not None and limits.max_workers is not None:
        limit = max(0, limits.max_workers - sum(not node.is_head for node in present))
    if max_gpus is not None:
        added = (*(node for node in added if not node.gpus), *_up_to(present, added, max_gpus))
        limit = None
    return Supply(nodes=present, can_add=added, is_fixed=not added, add_at_most=limit)


def with_cards(supply: Supply, cards: Mapping[str, float]) -> Supply:
    """Return the supply with the memory of cards (GiB) by the kind of node, as ``kind_of`` names it."""

    def described(node: NodeSupply) -> NodeSupply:
        return replace(node, gpu_memory_gib=cards.get(kind_of(node), node.gpu_memory_gib))

    return replace(supply, nodes=tuple(map(described, supply.nodes)), can_add=tuple(map(described, supply.can_add)))


def kind_of(node: NodeSupply) -> str:
    """Return the kind of a node, all of which are taken to have the same software and the same cards."""
    return f"{node.gpus:g} x {node.accelerator or 'GPU'}" if node.gpus else "CPU"


def _node(node: Mapping[str, Any]) -> NodeSupply:
    resources: Mapping[str, float] = node["Resources"]
    kinds = [name.removeprefix(ACCELERATOR) for name in resources if name.startswith(ACCELERATOR)]
    return NodeSupply(
        name=str(node["NodeManagerAddress"]),
        cpus=resources.get("CPU", 0.0),
        gpus=resources.get("GPU", 0.0),
        # Ray sets its object store aside; what it leaves is what was free when the node joined.
        memory_gib=(resources.get("memory", math.inf) + resources.get("object_store_memory", 0.0)) / GIB,
        labels=node.get("Labels") or {},
        is_head=HEAD_RESOURCE in resources,
        accelerator=kinds[0] if kinds else None,
    )


def _not_yet_there(present: Sequence[NodeSupply], limits: AutoscalerLimits) -> Iterator[NodeSupply]:
    """Yield the nodes of each type that an autoscaler may still add.

    Workers that are there count as those of the first type with the same CPUs and GPUs.
    """
    there = Counter((node.cpus, node.gpus) for node in present if not node.is_head)
    for kind in limits.types:
        running = min(there[kind.cpus, kind.gpus], kind.max_count)
        there[kind.cpus, kind.gpus] -= running
        yield from [_of_type(kind)] * (kind.max_count - running)


def _of_type(kind: NodeType) -> NodeSupply:
    memory = math.inf if kind.memory_gib is None else kind.memory_gib
    return NodeSupply(name=f"a {kind.name}", cpus=kind.cpus, gpus=kind.gpus, memory_gib=memory)


def _up_to(present: Sequence[NodeSupply], declared: Sequence[NodeSupply], max_gpus: int) -> Iterator[NodeSupply]:
    """Yield the nodes with GPUs that a cluster adds until it has ``max_gpus``: like the largest one known."""
    assumed = NodeSupply(
        name="a node with GPUs", cpus=ASSUMED_GPUS * ASSUMED_CPUS_PER_GPU, gpus=ASSUMED_GPUS, memory_gib=math.inf
    )
    known = [node for node in (*present, *declared) if node.gpus]
    largest = max(known, key=lambda node: node.gpus, default=assumed)
    missing = max_gpus - sum(node.gpus for node in present)
    while missing > 0:
        share = min(largest.gpus, missing)
        yield replace(largest, name="a node with GPUs", gpus=share, is_head=False)
        missing -= share


def _visible(cards_found: int) -> int:
    """Return how many of the GPUs cards_found CUDA_VISIBLE_DEVICES leaves to this process."""
    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    return cards_found if names is None else min(cards_found, len([name for name in names.split(",") if name.strip()]))
