"""Compare what actors ask for with what nodes have free, and say which nodes are missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from actors.placement.nodes import Node

SMALLEST_CPUS = 0.001  # of an actor that asks for nothing: Ray would put it on any node, the fullest included


@dataclass(frozen=True, slots=True)
class Demand:
    """What one replica takes of one node. ``name``: of its actor."""

    name: str
    cpus: float
    gpus: float = 0.0

    @property
    def resources(self) -> dict[str, float]:
        """The same by Ray's names, without zeros, which a placement group refuses."""
        amounts = {"CPU": self.cpus, "GPU": self.gpus}
        return {name: amount for name, amount in amounts.items() if amount}


def make_demand(name: str, cpus: float, gpus: float = 0.0) -> Demand:
    """Return the demand of an actor. One that asks for nothing takes SMALLEST_CPUS, so that such actors are spread too."""
    return Demand(name, cpus if cpus or gpus else SMALLEST_CPUS, gpus)


def without_place(demands: Sequence[Demand], nodes: Sequence[Node]) -> list[Demand]:
    """Return the demands that find no place on what is free: largest first, each on the fullest node that has room.

    >>> node = Node(id="a", address="a", cpus=8, gpus=4, free_cpus=8, free_gpus=4)
    >>> [demand.name for demand in without_place([Demand("p0", 1, 2), Demand("p1", 1, 2), Demand("r0", 1, 1)], [node])]
    ['r0']
    """
    free = [[node.free_gpus, node.free_cpus] for node in nodes]
    missing = []
    for demand in sorted(demands, key=lambda demand: (-demand.gpus, -demand.cpus)):
        fitting = [left for left in free if left[0] >= demand.gpus and left[1] >= demand.cpus]
        if not fitting:
            missing.append(demand)
            continue
        fullest = min(fitting)
        fullest[0] -= demand.gpus
        fullest[1] -= demand.cpus
    return missing


def describe_missing(demands: Sequence[Demand], nodes: Sequence[Node]) -> str:
    """Return what is missing for ``demands`` to be placed, such as "2 nodes with 4 GPUs".

    Nodes with GPUs are counted in the size of the largest one that is there, or of the largest demand where it is larger.
    """
    missing = without_place(demands, nodes)
    if not missing:
        return f"Ray to start {_names(demands)}"
    texts = []
    if on_gpus := [demand for demand in missing if demand.gpus]:
        size = max([math.ceil(demand.gpus) for demand in on_gpus] + [int(node.gpus) for node in nodes])
        texts.append(_nodes(_count_nodes(on_gpus, size), size, "GPU"))
    if on_cpus := [demand for demand in missing if not demand.gpus]:
        size = max(1, math.ceil(max(demand.cpus for demand in on_cpus)))
        texts.append(_nodes(len(on_cpus), size, "free CPU"))
    return f"{' and '.join(texts)} ({_names(missing)})"


def describe_wait(demands: Sequence[Demand], nodes: Sequence[Node], seconds: float) -> str:
    """Return a line on a wait, such as "waiting for 2 nodes with 4 GPUs (policy-0, policy-1), 3:10 min"."""
    return f"waiting for {describe_missing(demands, nodes)}, {format_minutes(seconds)}"


def format_minutes(seconds: float) -> str:
    """Return a time as "3:10 min"."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


def _count_nodes(demands: Sequence[Demand], size: int) -> int:
    """Return how many nodes with ``size`` GPUs hold the demands, filled one after the other, the largest first."""
    free: list[float] = []
    for demand in sorted(demands, key=lambda demand: -demand.gpus):
        place = next((index for index, left in enumerate(free) if left >= demand.gpus), None)
        if place is None:
            free.append(size - demand.gpus)
        else:
            free[place] -= demand.gpus
    return len(free)


def _nodes(count: int, size: int, resource: str) -> str:
    return f"{count} node{'' if count == 1 else 's'} with {size} {resource}{'' if size == 1 else 's'}"


def _names(demands: Sequence[Demand], shown: int = 4) -> str:
    names = [demand.name for demand in demands[:shown]]
    return ", ".join(names) + (f" and {len(demands) - shown} more" if len(demands) > shown else "")
