"""Define what a training asks of a cluster before its workers start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class TrainingRoom(Protocol):
    """The nodes of a cluster, for a training that shares them with other actors."""

    def training_nodes(self) -> Sequence[Mapping[str, Any]]:
        """Return the nodes as ``ray.nodes()`` does, with the CPUs that are free in place of all."""

    def await_room(self, bundles: Sequence[Mapping[str, float]]) -> None:
        """Return once all ``bundles`` (Ray's resources of a worker each) find room at the same time."""
