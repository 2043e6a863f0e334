"""Compare the GPUs and CPUs that stages need with those that there are: ``check_fit`` refuses in one line.

Memory is compared by cluster.capacity.memory.check, which can say what would make it fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cluster.capacity.bundles import GroupNeed, NodeSupply, StageNeed, Supply
from cluster.capacity.memory.shortage import without_memory
from cluster.capacity.packing import unplaced
from cluster.capacity.wording import (
    amounts,
    bundle_text,
    count,
    describe_supply,
    field_of,
    number,
    role_title,
    stage_title,
)
from search.errors import UserError

CLUSTER, MACHINE = "the cluster", "this machine"  # what a supply is called
ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of nodes: its name in a bundle, its unit, and how much of it a node has, a supply, and one that has grown."""

    name: str
    unit: str
    of_node: Callable[[NodeSupply], float]
    there: Callable[[Supply], float]
    most: Callable[[Supply], float]


GPUS = Resource("gpus", "GPU", lambda node: node.gpus, lambda supply: supply.gpus, lambda supply: supply.most_gpus)
CPUS = Resource("cpus", "CPU", lambda node: node.cpus, lambda supply: supply.cpus, lambda supply: supply.most_cpus)


def check_fit(stages: Sequence[StageNeed], supply: Supply, place: str = CLUSTER) -> None:
    """Raise UserError if a stage needs more than ``place`` has and can add, or what does not fit its nodes."""
    fault = next(shortages(stages, supply, place), None)
    if fault is not None:
        raise UserError(fault)


def shortages(stages: Sequence[StageNeed], supply: Supply, place: str = CLUSTER) -> Iterator[str]:
    """Yield what is too little, a line each: GPUs first, and what no choice of nodes would change before sums."""
    for resource in (GPUS, CPUS):
        if any(resource.of_node(node) for node in supply.all_nodes):
            yield from _too_large(stages, supply, resource, place)
        yield from _too_many(stages, supply, resource, place)
    for stage in without_memory(stages):
        if (left := unplaced(stage, supply)) is not None:
            group, missing = left
            yield (
                f"{stage_title(stage.stage)} does not fit the nodes of {place}: no room for {missing} of "
                f"{group.replicas} {role_title(group.role)} ({bundle_text(group.bundle)}) beside "
                f"{_others(stage, group)}; there {'is' if len(supply.nodes) == 1 else 'are'} {describe_supply(supply)}"
            )


def _too_large(stages: Sequence[StageNeed], supply: Supply, resource: Resource, place: str) -> Iterator[str]:
    """Yield replicas that no node has room for: an engine is spread over GPUs of one node only."""
    largest = max(resource.of_node(node) for node in supply.all_nodes)
    for stage in stages:
        for group in stage.groups:
            wanted = getattr(group.bundle, resource.name)
            if wanted > largest + ROUNDING:
                section = field_of(group, stage.stage)
                remedy = (
                    f"set {section}.gpus to {number(largest)} or less, and more replicas" if resource is GPUS else ""
                )
                kind = f"one {role_title(group.role)}" + (" engine" if group.is_engine else "")
                have = "has" if supply.is_fixed else "has or can have"
                yield (
                    f"{section}: {kind} needs {count(wanted, resource.unit)} of one node"
                    f"{' (tensor parallel)' if resource is GPUS and group.is_engine else ''}, and no node of {place} {have} "
                    f"more than {number(largest)}: {remedy or 'ask for less, or take larger nodes'}"
                )


def _too_many(stages: Sequence[StageNeed], supply: Supply, resource: Resource, place: str) -> Iterator[str]:
    """Yield the stage that needs most of a resource, if it is more than there is and can be added."""
    has, most = resource.there(supply), resource.most(supply)
    worst = max(stages, key=lambda stage: getattr(stage, resource.name), default=None)
    if worst is None or getattr(worst, resource.name) <= most + ROUNDING:
        return
    wanted = count(getattr(worst, resource.name), resource.unit)
    yield (
        f"{stage_title(worst.stage)} needs {wanted}: {amounts(worst.groups, resource.name)}; "
        f"{place} has {number(has)}{_growth(supply, resource, most, place)}"
    )


def _growth(supply: Supply, resource: Resource, most: float, place: str) -> str:
    """Return the rest of the line: whether there can be more, and what would be right."""
    less = "ask for less" if resource is GPUS else "lower num_cpus of engines, executor and workers (0 reserves none)"
    if place == MACHINE:
        return f": {less}, or join a cluster by --address"
    if not supply.is_fixed:
        return f" and can grow to {number(most)}: {less}, or let it grow further"
    remedy = "set ray.max_gpus if it adds nodes itself" if resource is GPUS else "add nodes"
    return f" and declares no growth: {less}, or {remedy}"


def _others(stage: StageNeed, group: GroupNeed) -> str:
    others = [f"{other.replicas} {role_title(other.role)}" for other in stage.groups if other is not group]
    return ", ".join(others) or "the others of its kind"
