"""Describe the nodes of a Ray cluster: their resources, what is free of them, and labels that say what they are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

HEAD_RESOURCE = "node:__internal_head__"  # resource that Ray gives the head node
# Label of a node that our manifests set, and its value on nodes that are there for executors.
ROLE_LABEL, EXECUTOR_ROLE = "raystar.io/role", "executor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node. ``free_cpus`` and ``free_gpus`` are what no actor and no placement group holds at the moment."""

    id: str
    address: str
    cpus: float
    gpus: float
    free_cpus: float
    free_gpus: float
    is_head: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
