"""Define the settings of placement: on which nodes of a cluster engines, executors and search workers run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from search.config import StrictConfig


class PlacementSettings(StrictConfig):
    """Where the actors of a run go. Without ``--address`` all of them are on this machine and nothing of it counts."""

    strategy: Literal["spread", "pack"] = Field(
        "spread", description="replicas of an engine: spread over as many nodes, or packed on as few, as possible"
    )
    executors: Literal["auto", "cpu_only"] = Field(
        "auto",
        description="auto: on nodes without a GPU first, then on spare CPUs of nodes with GPUs, on the head node last; "
        "cpu_only: only on nodes without a GPU that are not the head node",
    )
    reserved_cpus: float = Field(
        2.0, ge=0, description="CPUs that executors leave free on a node with GPUs, for each of them (count)"
    )
    engine_labels: dict[str, str] = Field(
        {}, description="Ray label selectors of the nodes that engines may use; default: any node with the GPUs"
    )
    deadline_s: float = Field(
        1800, gt=0, description="longest wait for nodes with room, the time that an autoscaler takes included (s)"
    )
