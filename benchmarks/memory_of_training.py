"""Train two steps in this process and print its peak of resident memory: a case of benchmarks/memory_estimate.py (JSON)."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ |= {"DS_ACCELERATOR": "cpu", "LOCAL_RANK": "0"}  # DeepSpeed reads them

import numpy as np
import torch
from torch import distributed

from benchmarks.process_usage import peak_mib
from search.formats.model_prompt import BUILT_IN_PROMPT
from train.config import TrainConfig
from train.data.batches import step_batches
from train.data.plan import PlanConfig, longest_row
from train.data.tokenized import TokenizedRow, TokenizedSet, pack
from train.objectives import OBJECTIVES
from train.trainer import models, worker
from train.trainer.job import TrainJob, TrainProgress
from train.trainer.loop import TrainPlan, train

STEPS = 2  # the optimizer's states are made in the first
FEW_TOKENS = 500  # ids that every model has


def random_samples(config: TrainConfig, objective: str, length: int) -> TokenizedSet:
    """Return sequences of the greatest length, every token of which is learnt, for STEPS steps."""
    kind = OBJECTIVES[objective].samples
    rng = np.random.default_rng(0)
    rows = [
        TokenizedRow(rng.integers(5, FEW_TOKENS, length).tolist(), [False] + [True] * (length - 1))
        for _ in range(STEPS * config.batch_size * kind.width)
    ]
    return pack(kind, rows, pad_id=0)


def main(case: dict[str, Any]) -> None:
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    distributed.init_process_group("gloo", init_method=f"file://{tempfile.mkdtemp()}/rendezvous", rank=0, world_size=1)
    worker.init_distributed()
    device = torch.device("cpu")
    config = models.resolve_precision(TrainConfig(**case["settings"]), device)
    objective, directory = OBJECTIVES[case["objective"]], Path(case["model"])
    job = TrainJob(
        name="memory",
        objective=objective.name,
        initial_model=directory,
        samples=directory,
        output=directory,
        work_directory=directory,
        seed=0,
        threads=1,
        config=config,
        tags=(),
        prompt=BUILT_IN_PROMPT,
        summary={},
    )
    samples = random_samples(config, objective.name, case["length"])
    engine = worker.build_engine(job, objective, samples.pad_id, 1, {})
    order = PlanConfig(batch_size=config.batch_size, micro_batch_tokens=config.micro_batch_tokens, world_size=1, seed=0)
    plan = TrainPlan(steps=STEPS, save_every=0, seed=0, save=lambda progress: None, report=lambda report: None)
    with models.attention_kernel(device, longest_row(samples, order)):
        batches = step_batches(samples, order, 0, 0, 1)
        train(engine, batches, objective.functions(), config, plan, TrainProgress())
    print(json.dumps({"peak_gib": peak_mib(os.getpid()) / 1024}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
