"""Place the actors of a run on the nodes of a cluster, and wait for nodes with room.

    engines         a placement group for each role, a bundle for each replica: all find room, or none starts
    executors       nodes that ``actors/pools/executor_nodes.py`` chose; Ray may start one elsewhere when its node has died
    search workers  the same, by ``node_choice.choose_worker_nodes``
    training        Ray Train has a placement group of its own; ``await_room`` waits until it will fit

Deadlines of a start begin when its actors are placed. Until then a line says what is waited for.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import ray
from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table, remove_placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy, PlacementGroupSchedulingStrategy

from actors.errors import NoRoom
from actors.placement.cluster_nodes import as_ray_describes, read_nodes, read_nodes_at_rest
from actors.placement.config import PlacementSettings
from actors.placement.demand import Demand, describe_missing, describe_wait, format_minutes, make_demand, without_place
from actors.placement.node_choice import choose_worker_nodes
from actors.placement.nodes import Node
from search.errors import UserError

Choice = TypeVar("Choice")

POLL_S = 1  # between two looks at what waits for room
FIRST_LINE_S = 5.0  # a wait is said after so long …
LINE_EVERY_S = 30.0  # … and so often after that
RELEASE_S = 15.0  # actors that were stopped have this long to free what they held


@dataclass(frozen=True, slots=True)
class Reservation:
    """A placement group that holds the room of the replicas of one role, by the order of ``demands``.

    ``cores``: the CPU cores of each replica's node, divided by its replicas there; none before they are placed.
    """

    demands: tuple[Demand, ...]
    group: PlacementGroup
    cores: tuple[int, ...] = ()

    def options(self, index: int) -> dict[str, Any]:
        """Return Ray's options that put an actor into the room with this index."""
        demand = self.demands[index]
        strategy = PlacementGroupSchedulingStrategy(
            placement_group=self.group,
            placement_group_bundle_index=index,
            placement_group_capture_child_tasks=False,
        )
        return {"num_cpus": demand.cpus, "num_gpus": demand.gpus, "scheduling_strategy": strategy}

    def node_ids(self) -> tuple[str, ...]:
        """Return the node of each room, for a group that is placed."""
        by_index = placement_group_table(self.group)["bundles_to_node_id"]
        return tuple(by_index[index] for index in range(len(self.demands)))

    def remove(self) -> None:
        """Give the room back. Ray kills what still runs in it."""
        remove_placement_group(self.group)


class Placer:
    """Placement for one run on a joined cluster. ``say`` gets lines on what is waited for, now and then."""

    def __init__(self, settings: PlacementSettings, say: Callable[[str], None]) -> None:
        self.settings, self.say = settings, say
        self._node_of: dict[str, str] = {}  # ids, by the names of engines

    def reserve(self, demands_by_role: Mapping[str, Sequence[Demand]]) -> dict[str, Reservation]:
        """Return room for all replicas of all roles. Raises NoRoom past ``deadline_s``, and holds nothing then.

        The role with the largest demands goes first, and has its room before others ask for theirs: small ones would fill
        the nodes that it needs. Actors that were stopped have let go of theirs by then.
        """
        read_nodes_at_rest()
        reservations: dict[str, Reservation] = {}
        roles = sorted(demands_by_role, key=lambda role: -max(demand.gpus for demand in demands_by_role[role]))
        try:
            for role in roles:
                reservations[role] = self._reserve(tuple(demands_by_role[role]), self.settings.engine_labels)
                self._await_group(reservations[role])
        except BaseException:
            for reservation in reservations.values():
                reservation.remove()
            raise
        return {role: self._with_nodes(reservation) for role, reservation in reservations.items()}

    def must_move(self, demands: Sequence[Demand], running: Sequence[Demand]) -> bool:
        """Return whether ``demands`` find room only once the ``running`` engines, which fit too, are placed anew.

        Waits RELEASE_S for what was just stopped to let go of its room.
        """
        end = time.monotonic() + RELEASE_S
        while without_place(demands, read_nodes()):
            if time.monotonic() >= end:
                return not without_place([*demands, *running], self._nodes_without(running))
            time.sleep(POLL_S)
        return False

    def training_nodes(self) -> Sequence[Mapping[str, Any]]:
        """Return the nodes as ``ray.nodes()`` does, with the CPUs that are free in place of all."""
        return [as_ray_describes(node) for node in read_nodes_at_rest()]

    def await_room(self, bundles: Sequence[Mapping[str, float]]) -> None:
        """Return once all ``bundles`` of a training find room at the same time, and say what each worker gets.

        Raises NoRoom past ``deadline_s``.
        """
        demands = tuple(
            make_demand(f"training-{index}", bundle.get("CPU", 0.0), bundle.get("GPU", 0.0))
            for index, bundle in enumerate(bundles)
        )
        reservation = self._reserve(demands, {}, "PACK")
        try:
            self._await_group(reservation)
        finally:
            reservation.remove()
        cpus, gpus = demands[0].cpus, demands[0].gpus
        cores = f"{cpus:g} CPU{'' if cpus == 1 else 's'}"
        each = f"a GPU and {cores}" if gpus else f"{cores} and no GPU"
        self.say(f"training on {len(demands)} worker{'' if len(demands) == 1 else 's'} with {each}")

    def retry(self, choose: Callable[[Sequence[Node]], Choice]) -> Choice:
        """Return what ``choose`` makes of the nodes, once they are enough. Raises its UserError past ``deadline_s``."""
        wait = _Wait(self.settings.deadline_s, self.say)
        while True:
            try:
                return choose(read_nodes())
            except UserError as error:
                if wait.is_over:
                    raise
                if wait.is_line_due():
                    self.say(f"waiting {format_minutes(wait.seconds)} so far: {error}")
            time.sleep(POLL_S)

    def worker_options(self, workers: int, cpus: float) -> list[dict[str, Any]]:
        """Return Ray's options for each search worker: one on each node, then a second, the head last."""
        options = [near(node) for node in choose_worker_nodes(workers, cpus, read_nodes())]
        return options + [{"scheduling_strategy": "SPREAD"}] * (workers - len(options))

    def await_placed(self, handles: Mapping[str, Any], cpus: float) -> None:
        """Return once all actors run, by name. Their constructors do next to nothing. Raises NoRoom past ``deadline_s``."""
        calls = {handle.__ray_ready__.remote(): name for name, handle in handles.items()}
        waiting = list(calls)
        wait = _Wait(self.settings.deadline_s, self.say)
        while waiting:
            done, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=POLL_S)
            ray.get(done)
            if waiting:
                wait.check([make_demand(calls[call], cpus) for call in waiting])

    def _with_nodes(self, reservation: Reservation) -> Reservation:
        """Note the nodes of a reservation that is placed, and return it with their cores."""
        ids, cpus = reservation.node_ids(), {node.id: node.cpus for node in read_nodes()}
        self._node_of.update({demand.name: node for demand, node in zip(reservation.demands, ids, strict=True)})
        replicas = Counter(ids)
        return replace(reservation, cores=tuple(int(cpus.get(node, 0)) // replicas[node] for node in ids))

    def _nodes_without(self, running: Sequence[Demand]) -> list[Node]:
        """Return the nodes as they would be if these engines were gone."""
        nodes = {node.id: node for node in read_nodes()}
        for demand in running:
            if node := nodes.get(self._node_of.get(demand.name, "")):
                cpus, gpus = node.free_cpus + demand.cpus, node.free_gpus + demand.gpus
                nodes[node.id] = replace(node, free_cpus=cpus, free_gpus=gpus)
        return list(nodes.values())

    def _reserve(
        self, demands: tuple[Demand, ...], labels: Mapping[str, str], strategy: str | None = None
    ) -> Reservation:
        bundles = [demand.resources for demand in demands]
        selectors = [dict(labels) for _ in demands] if labels else None
        group = placement_group(
            bundles, strategy=strategy or self.settings.strategy.upper(), bundle_label_selector=selectors
        )
        return Reservation(demands, group)

    def _await_group(self, reservation: Reservation) -> None:
        wait = _Wait(self.settings.deadline_s, self.say)
        while not reservation.group.wait(POLL_S):
            wait.check(reservation.demands)


class _Wait:
    """The lines of one wait, and its end."""

    def __init__(self, deadline_s: float, say: Callable[[str], None]) -> None:
        self._deadline_s, self._say = deadline_s, say
        self._begin, self._next_line_s = time.monotonic(), FIRST_LINE_S

    @property
    def seconds(self) -> float:
        """Time since the begin."""
        return time.monotonic() - self._begin

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return self.seconds >= self._deadline_s

    def is_line_due(self) -> bool:
        """Return whether a line is due, and count it as said."""
        if self.seconds < self._next_line_s:
            return False
        self._next_line_s = self.seconds + LINE_EVERY_S
        return True

    def check(self, demands: Sequence[Demand]) -> None:
        """Say what is waited for, if a line is due. Raises NoRoom past the deadline."""
        if self.is_over:
            raise NoRoom(
                f"no room in {self._deadline_s:g} s: {describe_missing(demands, read_nodes())} missing; add nodes, ask "
                "for fewer, or raise placement.deadline_s"
            )
        if self.is_line_due():
            self._say(describe_wait(demands, read_nodes(), self.seconds))


def near(node: Node) -> dict[str, Any]:
    """Return the options that put an actor on a node, and on another one only if that node has died."""
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=True)}
