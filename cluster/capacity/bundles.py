"""Records of what a run needs and what a cluster has, in CPUs, GPUs and GiB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Roles of a GroupNeed. A policy beside the first has a role of its own: search.protocols.policy_role.
POLICY, SECOND_POLICY, REWARD_MODEL = "policy", "second_policy", "reward_model"
EXECUTOR, SEARCH_WORKER, TRAINING = "executor", "search_worker", "training"
MIB_PER_GIB = 1024
NOT_ENGINES = (EXECUTOR, SEARCH_WORKER, TRAINING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Holds what the processes of one replica take of one node.

    Attributes:
        cpus: that it reserves; may be a share.
        gpus: whole ones, or a share of one.
        memory_gib: of the node, at most; 0: not known.
        soft_memory_gib: of these, what it may share with other processes or hardly ever reaches: no comparison counts it.
        disk_gib: that a training writes to the run directory, and others to the node's own disk, at most.
        gpu_memory_gib: that each of its cards must have; 0: not known.
        memory_parts: what makes up the memory where the model is, in words.
    """

    cpus: float
    gpus: float
    memory_gib: float = 0
    disk_gib: float = 0
    gpu_memory_gib: float = 0
    soft_memory_gib: float = 0
    memory_parts: str = field(default="", compare=False)

    @property
    def sure_memory_gib(self) -> float:
        """Counts the memory of the node that it surely takes."""
        return max(0.0, self.memory_gib - self.soft_memory_gib)


@dataclass(frozen=True, slots=True)
class GroupNeed:
    """Says that a stage runs ``replicas`` processes of a role at once, each on a node that has room for ``bundle``."""

    role: str
    replicas: int
    bundle: Bundle

    @property
    def is_engine(self) -> bool:
        """Whether the replicas are engines that serve a model."""
        return self.role not in NOT_ENGINES


@dataclass(frozen=True, slots=True)
class StageNeed:
    """Lists the groups of processes that one stage runs at the same time."""

    stage: str
    groups: tuple[GroupNeed, ...]

    @property
    def cpus(self) -> float:
        """Adds up the CPUs of all groups."""
        return sum(group.replicas * group.bundle.cpus for group in self.groups)

    @property
    def gpus(self) -> float:
        """Adds up the GPUs of all groups; shares of a card count as shares."""
        return sum(group.replicas * group.bundle.gpus for group in self.groups)

    @property
    def memory_gib(self) -> float:
        """Adds up the memory of the nodes that all groups take at most."""
        return sum(group.replicas * group.bundle.memory_gib for group in self.groups)

    @property
    def sure_memory_gib(self) -> float:
        """Adds up the memory of the nodes that all groups surely take."""
        return sum(group.replicas * group.bundle.sure_memory_gib for group in self.groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSupply:
    """Describes a node that is there, or one that an autoscaler can add.

    ``memory_gib`` is infinite where it is not known. ``gpu_memory_gib`` is that of one card, None where it is not known.
    """

    name: str
    cpus: float
    gpus: float
    memory_gib: float
    labels: Mapping[str, str] = field(default_factory=dict)
    is_head: bool = False
    accelerator: str | None = None
    gpu_memory_gib: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """Holds the nodes of a cluster and those that it can add, of which ``add_at_most`` together (None: all of them)."""

    nodes: tuple[NodeSupply, ...]
    can_add: tuple[NodeSupply, ...] = ()
    is_fixed: bool = True
    add_at_most: int | None = None

    @property
    def all_nodes(self) -> tuple[NodeSupply, ...]:
        """Returns the nodes that are there, then those that can be added."""
        return (*self.nodes, *self.can_add)

    @property
    def gpus(self) -> float:
        """Counts the GPUs of the nodes that are there."""
        return sum(node.gpus for node in self.nodes)

    @property
    def most_gpus(self) -> float:
        """Counts the GPUs of the cluster when it has added the nodes with the most of them."""
        return self.gpus + self._most_added([node.gpus for node in self.can_add])

    @property
    def cpus(self) -> float:
        """Counts the CPUs of the nodes that are there."""
        return sum(node.cpus for node in self.nodes)

    @property
    def most_cpus(self) -> float:
        """Counts the CPUs of the cluster when it has added the nodes with the most of them."""
        return self.cpus + self._most_added([node.cpus for node in self.can_add])

    def _most_added(self, amounts: list[float]) -> float:
        return sum(sorted(amounts, reverse=True)[: self.add_at_most])
