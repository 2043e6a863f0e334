"""A training run as its workers are told of it. Knows names and paths; loads nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.config import TrainConfig

SUMMARY = "train.json"  # lies in every exported directory: what training did


@dataclass(frozen=True, slots=True)
class Job:
    """Everything a worker needs to know. Paths lie on storage that all workers reach."""

    name: str
    objective: str
    init: Path
    samples: Path
    output: Path
    work: Path
    seed: int
    threads: int
    config: TrainConfig
    summary: dict[str, Any]

    @property
    def progress_file(self) -> Path:
        return self.work / f"{self.name}.progress.jsonl"

    @property
    def tensorboard(self) -> Path:
        return self.work / "tensorboard" / self.name
