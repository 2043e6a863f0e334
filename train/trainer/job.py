"""A training run as its workers are told of it. Knows names and paths; loads nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from train.config import TrainConfig

SUMMARY = "train.json"  # lies in every exported directory: what training did


@dataclass(frozen=True, slots=True)
class TrainJob:
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


@dataclass(slots=True)
class TrainProgress:
    """Carried by checkpoints. ``history`` holds one row an optimizer step: the loss, then the objective's metrics."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    history: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TrainReport:
    """Shown while training: loss and metrics are means over the steps since the last report.

    ``step`` of ``steps`` optimizer steps done; ``tokens_per_second`` over all workers, without padding; ``seconds`` of
    training so far; ``gradient_norm`` before clipping, 0 where DeepSpeed does not compute it (stage 0 in fp32).
    """

    step: int
    steps: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens_per_second: float
    seconds: float
    metrics: dict[str, float]
