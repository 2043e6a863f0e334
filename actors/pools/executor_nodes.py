"""Choose the nodes of executors, given what is free on each. Starts nothing, and loads no Ray.

    CPU nodes ──> spare CPUs of GPU nodes, beside what is kept for engines ──> the head node

An executor that runs two steps a core (``concurrency: 0``) fills its node, so every node gets one before any gets a
second. With a number of steps of its own, a tier takes as many executors as it has CPUs for before the next is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from actors.placement.config import PlacementSettings
from actors.placement.node_choice import NodeTier, one_each, places, tier_of
from actors.placement.nodes import Node
from actors.sandbox.config import STEPS_PER_CORE, ExecutorConfig
from search.errors import UserError


@dataclass(frozen=True, slots=True)
class Seat:
    """A place for one executor. ``concurrency``: steps that it runs at once; 0: two per core of its node."""

    node: Node
    concurrency: int


@dataclass(frozen=True, slots=True)
class ExecutorPlan:
    """Where executors go; fewer seats than executors where the cluster has no room for the others yet."""

    seats: tuple[Seat, ...]
    replicas: int
    settings: PlacementSettings

    def describe(self) -> str:
        """Return the line of the plan, such as "executors: 4 on 4 CPU nodes, 1 on the head node"."""
        parts = []
        for tier in NodeTier:
            nodes = [seat.node.id for seat in self.seats if tier_of(seat.node) is tier]
            if nodes:
                parts.append(f"{len(nodes)} on {self._describe_tier(tier, len(set(nodes)))}")
        if waiting := self.replicas - len(self.seats):
            parts.append(f"{waiting} wait for nodes with room")
        return f"executors: {', '.join(parts)}"

    def _describe_tier(self, tier: NodeTier, nodes: int) -> str:
        plural = "" if nodes == 1 else "s"
        if tier is NodeTier.CPU:
            return f"{nodes} CPU node{plural}"
        if tier is NodeTier.GPU:
            reserved = self.settings.reserved_cpus
            kept = f"{reserved:g} CPU{' of each GPU is' if reserved == 1 else 's of each GPU are'} kept free"
            return f"spare CPUs of {nodes} GPU node{plural} ({kept})"
        return "the head node"


def plan_executors(config: ExecutorConfig, nodes: Sequence[Node], settings: PlacementSettings) -> ExecutorPlan:
    """Return the seats of ``config.replicas`` executors. Raises UserError where cpu_only leaves one without a CPU node."""
    tiers = [NodeTier.CPU] if settings.executors == "cpu_only" else list(NodeTier)
    ordered = sorted((node for node in nodes if tier_of(node) in tiers), key=lambda node: (tier_of(node), node.address))
    spare = {node.id: max(0.0, node.free_cpus - settings.reserved_cpus * node.gpus) for node in ordered}
    room = {node.id: places(spare[node.id], config.num_cpus) for node in ordered}
    chosen: list[Node] = []
    if config.concurrency == 0:
        chosen = one_each(ordered, room, config.replicas)
    else:
        for tier in tiers:
            chosen += one_each([node for node in ordered if tier_of(node) is tier], room, config.replicas - len(chosen))
    if settings.executors == "cpu_only" and len(chosen) < config.replicas:
        have = ", ".join(f"{node.address} with {spare[node.id]:g} free CPUs" for node in ordered) or "none"
        missing, cpus = config.replicas - len(chosen), f"{config.num_cpus:g} CPU{'' if config.num_cpus == 1 else 's'}"
        raise UserError(
            f"placement.executors is cpu_only, and {missing} of {config.replicas} executors of {cpus} find no room on nodes "
            f"without a GPU beside the head (there is {have}): add such nodes, ask for fewer (executor.replicas), or say "
            "placement.executors: auto"
        )
    seats = tuple(Seat(node, _concurrency(node, config, settings)) for node in chosen)
    return ExecutorPlan(seats, config.replicas, settings)


def _concurrency(node: Node, config: ExecutorConfig, settings: PlacementSettings) -> int:
    """Return the steps at once: the config's, but two per spare core where the node's GPUs keep cores for engines."""
    spare = math.floor(node.cpus - settings.reserved_cpus * node.gpus)
    return config.concurrency or (STEPS_PER_CORE * max(1, spare) if node.gpus else 0)
