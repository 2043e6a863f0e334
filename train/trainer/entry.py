"""Where a Ray Train worker begins: a module of its own, since Ray Train's controller reads it too and needs no models."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from train.trainer.job import TrainJob


def enter(loop_config: Mapping[str, Any]) -> None:
    """Run the job. The heavy imports wait until DeepSpeed's device is settled."""
    job: TrainJob = loop_config["job"]
    if not loop_config["gpu"]:
        os.environ["DS_ACCELERATOR"] = "cpu"
    from train.trainer import worker

    worker.run(job)
