"""Order the nodes of a cluster for actors that need no GPU, and fill them. Starts nothing.

Nodes come in tiers, so that model-written code stays away from engines and from the driver while there is room elsewhere:

    CPU nodes ──> GPU nodes ──> the head node
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import IntEnum

from actors.placement.nodes import EXECUTOR_ROLE, ROLE_LABEL, Node


class NodeTier(IntEnum):
    """Kinds of nodes, in the order in which they are used."""

    CPU = 0
    GPU = 1
    HEAD = 2


def tier_of(node: Node) -> NodeTier:
    """Return the tier of a node: by its label where it is one for executors, else by its GPUs and by being the head."""
    if node.labels.get(ROLE_LABEL) == EXECUTOR_ROLE:
        return NodeTier.CPU
    if node.is_head:
        return NodeTier.HEAD
    return NodeTier.GPU if node.gpus else NodeTier.CPU


def choose_worker_nodes(workers: int, cpus: float, nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes of search workers, at most so many: one on each node, then a second on each, the head last.

    Fewer where the nodes have no CPUs free for more. ``cpus``: of each.
    """
    ordered = sorted(nodes, key=lambda node: (node.is_head, node.address))
    return one_each(ordered, {node.id: places(node.free_cpus, cpus) for node in ordered}, workers)


def places(free: float, cpus: float) -> float:
    """Return how many actors of ``cpus`` CPUs find room; of those that ask for none any number, if anything is free.

    >>> places(6, 0.5), places(6, 0), places(0, 0)
    (12, inf, 0)
    """
    return math.floor(free / cpus + 1e-6) if cpus else (math.inf if free > 0 else 0)


def one_each(ordered: Sequence[Node], room: Mapping[str, float], count: int) -> list[Node]:
    """Return ``count`` nodes, or as many as there is room: one actor on each node, then a second on each, and so on.

    ``room``: actors that each node can take, by its id.
    """
    chosen: list[Node] = []
    placed: Counter[str] = Counter()
    while len(chosen) < count:
        free = [node for node in ordered if placed[node.id] < room[node.id]]
        if not free:
            break
        for node in free[: count - len(chosen)]:
            placed[node.id] += 1
            chosen.append(node)
    return chosen
