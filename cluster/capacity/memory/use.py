"""What the processes of one engine, or of one training worker, hold at most, in GiB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """Memory of one replica at its peak.

    Attributes:
        parts: what makes up the peak where the model is: on each GPU, or on the host without one (GiB).
        per_gpu_gib: on each of the replica's GPUs; 0 without one.
        per_host_gib: in the memory of the host that the replica runs on, all its processes together.
    """

    parts: Mapping[str, float]
    per_gpu_gib: float
    per_host_gib: float

    def describe(self) -> str:
        """Return the parts, the largest first: "optimizer 6.1, weights 1.2"."""
        shown = sorted(self.parts.items(), key=lambda part: -part[1])
        return ", ".join(f"{name} {size:.1f}" for name, size in shown if size >= 0.05)


def on_gpu(parts: Mapping[str, float], host_gib: float) -> MemoryUse:
    """Return the use of a replica whose parts lie on each of its GPUs."""
    return MemoryUse(parts=parts, per_gpu_gib=sum(parts.values()), per_host_gib=host_gib)


def on_host(parts: Mapping[str, float]) -> MemoryUse:
    """Return the use of a replica without a GPU."""
    return MemoryUse(parts=parts, per_gpu_gib=0.0, per_host_gib=sum(parts.values()))


def gib(count: float) -> float:
    """Return a number of bytes in GiB."""
    return count / GIB
