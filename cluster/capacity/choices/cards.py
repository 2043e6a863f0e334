"""Read from a supply what choices depend on: the nodes that a run may use, their cards and their memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cluster.capacity.bundles import NodeSupply, Supply

ASSUMED_CARD_GIB = 24.0  # memory of a card of which nothing is known: that of a small one


def usable_nodes(supply: Supply) -> tuple[NodeSupply, ...]:
    """Return the nodes that are there and those that may be added, those with most GPUs first of the latter."""
    added = sorted(supply.can_add, key=lambda node: (-node.gpus, -node.cpus))
    return (*supply.nodes, *added[: supply.add_at_most])


def with_labels(supply: Supply, labels: Mapping[str, str]) -> Supply:
    """Return the supply with the GPUs only of nodes that have all ``labels``, a Ray label selector of equalities.

    Nodes that can be added have no labels yet and are taken to have them; so is a selector with an operator, "in(a, b)".
    Where no node would be left the supply is returned as it is: starting the engines refuses that.
    """

    def is_meant(node: NodeSupply) -> bool:
        return all(
            "(" in value or value.startswith("!") or node.labels.get(key) == value for key, value in labels.items()
        )

    nodes = tuple(node if is_meant(node) else replace(node, gpus=0.0) for node in supply.nodes)
    meant = replace(supply, nodes=nodes)
    return meant if card_count(meant) else supply


def gpu_nodes(supply: Supply, at_least: float = 1) -> tuple[NodeSupply, ...]:
    """Return the usable nodes with so many GPUs or more."""
    return tuple(node for node in usable_nodes(supply) if node.gpus >= at_least > 0)


def card_count(supply: Supply) -> int:
    """Return how many whole GPUs the usable nodes have."""
    return sum(int(node.gpus) for node in usable_nodes(supply))


def card_gib(supply: Supply, gpus: float = 1) -> float:
    """Return the memory of the smallest card (GiB) that an engine or worker of so many GPUs may be placed on.

    Where a node does not say it, its cards are taken to be as small as the smallest of the other nodes.
    """
    nodes = gpu_nodes(supply, max(1.0, gpus))
    sizes = [node.gpu_memory_gib for node in nodes or gpu_nodes(supply) if node.gpu_memory_gib is not None]
    others = [node.gpu_memory_gib for node in gpu_nodes(supply) if node.gpu_memory_gib is not None]
    return min(sizes or others, default=ASSUMED_CARD_GIB)


def cpu_nodes(supply: Supply) -> tuple[NodeSupply, ...]:
    """Return the nodes with a CPU to give that are there; of those that can be added, one, where none is there."""
    there = tuple(node for node in supply.nodes if node.cpus >= 1)
    return there or tuple(node for node in usable_nodes(supply) if node.cpus >= 1)[:1]


def is_one_machine(supply: Supply) -> bool:
    """Return whether the supply is a single node without GPUs, for which defaults are made."""
    return len(usable_nodes(supply)) == 1 and not card_count(supply)


def most_gpus_of_a_node(supply: Supply) -> int:
    """Return the number of GPUs of the node that has most of them."""
    return max((int(node.gpus) for node in usable_nodes(supply)), default=0)


def least_cpus_for_a_gpu(nodes: Sequence[NodeSupply]) -> float:
    """Return the CPUs of a node for each of its GPUs, of the node that has fewest; 0 without a node."""
    return min((node.cpus / node.gpus for node in nodes if node.gpus), default=0.0)
