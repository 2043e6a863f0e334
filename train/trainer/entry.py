"""Entry point of a Ray Train worker.

It is a separate module because Ray Train's controller imports it too, and should not load the models' libraries.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from train.trainer.job import TrainJob


def run_worker(loop_config: Mapping[str, Any]) -> None:
    """Run the job. DeepSpeed reads its device from the environment, so it is imported after that is set."""
    job: TrainJob = loop_config["job"]
    if not loop_config["gpu"]:
        os.environ["DS_ACCELERATOR"] = "cpu"
    from train.trainer import worker

    worker.run(job)
