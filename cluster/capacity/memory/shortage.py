"""Find the stage that the memory of a supply does not hold, and say it in a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cluster.capacity.bundles import GroupNeed, NodeSupply, StageNeed, Supply
from cluster.capacity.packing import unplaced
from cluster.capacity.wording import number, replica_title, stage_title

RAY_KILLS = 0.95  # share of a node's memory from which on Ray ends processes (RAY_memory_usage_threshold)
# Of a node, beside the processes of a stage: the driver and Ray's own processes on the head, Ray's agents on others.
# Measured: docs/memory.md.
HEAD_GIB, NODE_GIB = 1.8, 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """A stage that does not fit.

    Attributes:
        stage: the stage.
        group: of whose processes one alone does not fit; None where all together do not.
        needs_gib: what does not fit.
        has_gib: what there is for it.
        on_cards: whether a GPU's memory is meant, or a node's.
    """

    stage: StageNeed
    group: GroupNeed | None
    needs_gib: float
    has_gib: float
    on_cards: bool = False

    def describe(self, place: str) -> str:
        """Return what is too little, in one line without a remedy."""
        if self.group is not None and self.on_cards:
            return (
                f"{stage_title(self.stage.stage)}: one {replica_title(self.group)} needs {number(self.needs_gib)} GiB of a GPU "
                f"({self.group.bundle.memory_parts}), and the GPUs of {place} have {number(self.has_gib)}"
            )
        if self.group is not None:
            return (
                f"{stage_title(self.stage.stage)}: one {replica_title(self.group)} needs {number(self.needs_gib)} GiB of memory "
                f"({self.group.bundle.memory_parts}), and {place} has {number(self.has_gib)} for it"
            )
        parts = ", ".join(
            f"{group.replicas} x {replica_title(group)} {number(counted_gib(group))}" for group in _large(self.stage)
        )
        return (
            f"{stage_title(self.stage.stage)} needs {number(self.needs_gib)} GiB of memory at once ({parts}), and {place} has "
            f"{number(self.has_gib)} for it"
        )


def find_shortage(
    stages: Iterable[StageNeed], supply: Supply, share: float = 1.0, *, sure: bool = False
) -> Shortage | None:
    """Return the first stage that the memory of a supply does not hold; None if all fit.

    ``share``: of what is estimated, so that 0.9 finds only what would not fit with a tenth less either. ``sure``: without
    what processes take that share libraries, and what they seldom reach.
    """
    faults = (_of_stage(stage, supply, share, sure=sure) for stage in stages)
    return next((fault for fault in faults if fault is not None), None)


def usable_gib(node: NodeSupply) -> float:
    """Return the memory of a node that the processes of a stage may take."""
    return RAY_KILLS * node.memory_gib - (HEAD_GIB if node.is_head else NODE_GIB)


def counted_gib(group: GroupNeed, *, sure: bool = False) -> float:
    """Return what one replica is counted with: executors' limits, which programs seldom reach, are left out."""
    return group.bundle.memory_gib if group.bundle.memory_parts and not sure else group.bundle.sure_memory_gib


def _of_stage(stage: StageNeed, supply: Supply, share: float, *, sure: bool) -> Shortage | None:
    nodes = supply.all_nodes
    cards = [node.gpu_memory_gib for node in nodes if node.gpus]
    largest_card = max((card for card in cards if card is not None), default=0.0)
    largest_node = max(map(usable_gib, nodes), default=0.0)
    for group in stage.groups:
        on_card, on_node = group.bundle.gpu_memory_gib, counted_gib(group, sure=sure)
        if largest_card and None not in cards and on_card * share > largest_card:
            return Shortage(stage=stage, group=group, needs_gib=on_card, has_gib=largest_card, on_cards=True)
        if on_node * share > largest_node:
            return Shortage(stage=stage, group=group, needs_gib=counted_gib(group), has_gib=largest_node)
    (bare,) = without_memory([stage])
    if unplaced(bare, supply) is not None:
        return None  # GPUs or CPUs are too few, which cluster.capacity.compare says
    if unplaced(_with_memory(stage, share, sure=sure), _usable(supply)) is None:
        return None
    together = sum(group.replicas * counted_gib(group) for group in stage.groups)
    return Shortage(stage=stage, group=None, needs_gib=together, has_gib=sum(map(usable_gib, nodes)))


def without_memory(stages: Iterable[StageNeed]) -> tuple[StageNeed, ...]:
    """Return stages that need no memory, of hosts or of GPUs."""

    def bare(group: GroupNeed) -> GroupNeed:
        return replace(group, bundle=replace(group.bundle, memory_gib=0.0, gpu_memory_gib=0.0))

    return tuple(replace(stage, groups=tuple(map(bare, stage.groups))) for stage in stages)


def _with_memory(stage: StageNeed, share: float, *, sure: bool) -> StageNeed:
    """Return the stage with a share of its estimated memory, all of which counts."""

    def counted(group: GroupNeed) -> GroupNeed:
        memory = share * counted_gib(group, sure=sure)
        return replace(group, bundle=replace(group.bundle, memory_gib=memory, soft_memory_gib=0.0))

    return replace(stage, groups=tuple(map(counted, stage.groups)))


def _usable(supply: Supply) -> Supply:
    def reduced(nodes: Sequence[NodeSupply]) -> tuple[NodeSupply, ...]:
        return tuple(replace(node, memory_gib=usable_gib(node)) for node in nodes)

    return replace(supply, nodes=reduced(supply.nodes), can_add=reduced(supply.can_add))


def _large(stage: StageNeed) -> list[GroupNeed]:
    """Return the groups whose memory is known, the largest first."""
    known = [group for group in stage.groups if counted_gib(group) >= 0.05]
    return sorted(known, key=lambda group: -group.replicas * counted_gib(group))
