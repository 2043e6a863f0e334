"""Try to place the groups of a stage on nodes: each replica whole on one node, shares of a GPU on one card."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cluster.capacity.bundles import Bundle, GroupNeed, NodeSupply, StageNeed, Supply

TOLERANCE = 1e-6  # of sums of shares


@dataclass(slots=True)
class Room:
    """What is free on a node. ``cards``: the free share of each GPU."""

    node: NodeSupply
    cards: list[float]
    cpus: float
    memory_gib: float

    @classmethod
    def of(cls, node: NodeSupply) -> Room:
        """Returns the room of an empty node."""
        whole, share = divmod(node.gpus, 1)
        cards = [1.0] * int(whole) + ([share] if share else [])
        return cls(node, cards, node.cpus, node.memory_gib)

    def fits(self, bundle: Bundle) -> float:
        """Returns how many of the bundle there is room for; infinity for one that takes nothing."""
        return min(
            _times(self.cpus, bundle.cpus),
            _times(self.memory_gib, bundle.sure_memory_gib),
            self._fit_on_cards(bundle.gpus),
        )

    def take(self, bundle: Bundle, count: int) -> None:
        """Takes the bundle so many times; it must fit."""
        self.cpus -= count * bundle.cpus
        self.memory_gib -= count * bundle.sure_memory_gib
        for _ in range(count if bundle.gpus else 0):
            self._take_cards(bundle.gpus)

    def _fit_on_cards(self, gpus: float) -> float:
        if not gpus:
            return math.inf
        if gpus < 1:
            return sum(_times(free, gpus) for free in self.cards)
        return sum(free > 1 - TOLERANCE for free in self.cards) // math.ceil(gpus)

    def _take_cards(self, gpus: float) -> None:
        if gpus < 1:
            # The fullest card that has room leaves whole ones to others.
            self.cards.sort()
            chosen = next(index for index, free in enumerate(self.cards) if free > gpus - TOLERANCE)
            self.cards[chosen] -= gpus
            return
        for _ in range(math.ceil(gpus)):
            self.cards.remove(max(self.cards))


def unplaced(stage: StageNeed, supply: Supply) -> tuple[GroupNeed, int] | None:
    """Return a group for which there is no room beside the others, and how many of it; None if all fit.

    Groups are placed in two orders, largest first, because no order is best for all.
    """
    left = None
    for size in (_by_gpus, _by_cpus):
        left = _place(sorted(stage.groups, key=size, reverse=True), supply)
        if left is None:
            return None
    return left


def _by_gpus(group: GroupNeed) -> tuple[float, float]:
    return group.bundle.gpus, group.bundle.cpus


def _by_cpus(group: GroupNeed) -> tuple[bool, float, float]:
    return group.bundle.gpus > 0, group.bundle.cpus, group.bundle.gpus


def _place(groups: Sequence[GroupNeed], supply: Supply) -> tuple[GroupNeed, int] | None:
    rooms, kinds = [Room.of(node) for node in supply.nodes], _kinds(supply.can_add)
    may_add = len(supply.can_add) if supply.add_at_most is None else supply.add_at_most
    for group in groups:
        left = _fill(group.bundle, group.replicas, rooms)
        while left and may_add and (chosen := _best(group.bundle, kinds)) is not None:
            of_one = Room.of(chosen[0]).fits(group.bundle)
            added = min(len(chosen), may_add, max(1, math.ceil(left / of_one)))
            new = [Room.of(chosen.pop()) for _ in range(added)]
            rooms += new
            may_add -= added
            left = _fill(group.bundle, left, new)
        if left:
            return group, left
    return None


def _kinds(nodes: Sequence[NodeSupply]) -> list[list[NodeSupply]]:
    """Return nodes of the same size together: there may be thousands that can be added, of few sizes."""
    kinds: dict[tuple[float, float, float], list[NodeSupply]] = {}
    for node in nodes:
        kinds.setdefault((node.cpus, node.gpus, node.memory_gib), []).append(node)
    return list(kinds.values())


def _fill(bundle: Bundle, count: int, rooms: Iterable[Room]) -> int:
    """Take the bundle up to ``count`` times, what needs no GPU first where there is none; return how often it did not fit."""
    for room in rooms if bundle.gpus else sorted(rooms, key=_has_gpus):
        placed = int(min(count, room.fits(bundle)))
        room.take(bundle, placed)
        count -= placed
        if not count:
            break
    return count


def _best(bundle: Bundle, kinds: Sequence[list[NodeSupply]]) -> list[NodeSupply] | None:
    """Return the kind of node that holds most of a bundle, for one without a GPU rather one without GPUs; None if none does."""
    rooms = [(Room.of(nodes[0]), nodes) for nodes in kinds if nodes]
    able = [(room, nodes) for room, nodes in rooms if room.fits(bundle) >= 1]
    if not able:
        return None
    return max(able, key=lambda entry: (bool(bundle.gpus) or not _has_gpus(entry[0]), entry[0].fits(bundle)))[1]


def _has_gpus(room: Room) -> bool:
    return bool(room.node.gpus)


def _times(free: float, amount: float) -> float:
    return math.floor((free + TOLERANCE) / amount) if amount and math.isfinite(free) else math.inf
