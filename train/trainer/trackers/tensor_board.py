"""Scalars as TensorBoard event files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter


class TensorBoardTracker:
    """Event files in ``directory``/tensorboard/``name``. Steps from ``first_step`` on replace those of an earlier start."""

    def __init__(self, directory: Path, name: str, first_step: int) -> None:
        self._writer = SummaryWriter(str(directory / "tensorboard" / name), purge_step=first_step)

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()
