"""Records that pass between the driver and the workers of a training run. Importing them loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from search.formats.model_prompt import ModelPrompt
from train.config import TrainConfig

CHECKPOINTS = "checkpoints"  # directory in a training's work directory
SUMMARY = "train.json"  # facts of the training run, in every exported directory


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainJob:
    """A training run as each worker gets it. All paths must be on storage that the workers share.

    ``initial_model``: the model directory to start from. ``samples``: tokenised samples (npz). ``output``: the directory to
    export. ``work_directory``: for checkpoints and TensorBoard files. ``threads``: CPU threads of a worker. ``tags``: texts that
    become tokens of their own. ``prompt``: how the exported model is to be prompted. ``summary``: facts that the driver
    adds to ``train.json``.
    """

    name: str
    objective: str
    initial_model: Path
    samples: Path
    output: Path
    work_directory: Path
    seed: int
    threads: int
    config: TrainConfig
    tags: tuple[str, ...]
    prompt: ModelPrompt
    summary: dict[str, Any]

    @property
    def progress_file(self) -> Path:
        return self.work_directory / f"{self.name}.progress.jsonl"


@dataclass(slots=True)
class TrainProgress:
    """Progress of a training run, kept in its checkpoints.

    ``history`` has one row for each optimizer step: the loss, then the objective's metrics.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    history: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """A progress report. Loss and metrics are means over the steps since the last report.

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
