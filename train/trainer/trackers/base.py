"""What a tracker does: write the scalars of a training to somewhere people look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Tracker(Protocol):
    """A sink of scalars. Only rank 0 has one."""

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Write ``scalars`` (such as ``train/loss``) of one optimizer step."""
        ...

    def close(self) -> None:
        """Flush and let go of files and connections."""
        ...
