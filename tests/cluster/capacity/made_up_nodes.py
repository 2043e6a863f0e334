"""Nodes and groups for tests, in one short call each."""

from __future__ import annotations

import math
from typing import Any

from cluster.capacity.bundles import Bundle, GroupNeed, NodeSupply, StageNeed, Supply


def node(name: str = "n", cpus: float = 8, gpus: float = 0, memory_gib: float = math.inf, **more: Any) -> NodeSupply:
    return NodeSupply(name=name, cpus=cpus, gpus=gpus, memory_gib=memory_gib, **more)


def group(role: str, replicas: int = 1, cpus: float = 0.5, gpus: float = 0, **more: Any) -> GroupNeed:
    return GroupNeed(role, replicas, Bundle(cpus=cpus, gpus=gpus, **more))


def stage(name: str, *groups: GroupNeed) -> StageNeed:
    return StageNeed(name, groups)


def cluster(*nodes: NodeSupply, **more: Any) -> Supply:
    return Supply(nodes=nodes, **more)


def growing(*nodes: NodeSupply, added: tuple[NodeSupply, ...], at_most: int | None = None) -> Supply:
    return Supply(nodes=nodes, can_add=added, is_fixed=False, add_at_most=at_most)
