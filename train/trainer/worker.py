"""What one Ray Train worker does: build the engine, see to the reference, take up the last checkpoint, loop, export.

Knows Ray Train's context and DeepSpeed's settings. Runs on every rank alike; rank 0 also reports and writes.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import deepspeed
import ray.train
import ray.train.torch
import torch
from torch import distributed
from torch.utils.tensorboard import SummaryWriter
from transformers.integrations import HfDeepSpeedConfig
from transformers.utils import logging as transformers_logging

from train.config import TrainConfig
from train.data.batches import PlanConfig, step_batches, steps_per_epoch
from train.data.tokenized import TokenizedSet
from train.objectives import OBJECTIVES, Kind, Objective
from train.trainer import checkpoint, models
from train.trainer.job import TrainJob, TrainProgress, TrainReport
from train.trainer.loop import Plan, train
from train.trainer.models import settled
from train.trainer.reference_logprobs import reference


def deepspeed_config(config: TrainConfig, world_size: int) -> dict[str, Any]:
    """DeepSpeed's settings. The loop itself says where a step ends, hence one accumulation step here."""
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "train_batch_size": world_size,
        "optimizer": {
            "type": "AdamW",
            "params": {
                "lr": config.learning_rate,
                "betas": list(config.betas),
                "eps": 1e-8,
                "weight_decay": config.weight_decay,
                "torch_adam": True,  # DeepSpeed's own is compiled at the first start
            },
        },
        "zero_optimization": {"stage": config.zero_stage},
        "bf16": {"enabled": config.precision == "bf16"},
        "gradient_clipping": config.gradient_clip,
        "steps_per_print": 1_000_000_000,
        "wall_clock_breakdown": False,
    }


def init_distributed() -> None:
    """Hand PyTorch's process group to DeepSpeed.

    On a CPU DeepSpeed would first compile a shared-memory all-reduce, which only its inference engine uses: saying that
    the operator is not available spares half a minute and the need for a compiler.
    """
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(dist_backend=distributed.get_backend(), verbose=False)


def run(job: TrainJob) -> None:
    """The whole of a worker's work. Raises whatever fails; Ray Train restarts the group from the last checkpoint."""
    if job.output.exists():
        return  # a worker group restarted after its export
    device = ray.train.torch.get_device()
    if device.type == "cpu":
        torch.set_num_threads(job.threads)
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    init_distributed()
    rank, world = distributed.get_rank(), distributed.get_world_size()
    job = replace(job, config=settled(job.config, device))
    objective, config = OBJECTIVES[job.objective], job.config
    samples = TokenizedSet.load(job.samples)
    engine = build_engine(job, objective, samples.pad_id, world)
    per_epoch = steps_per_epoch(len(samples), config.batch_size)
    order = PlanConfig(config.batch_size, config.micro_batch_tokens, world, job.seed)
    with models.attention(device, int(samples.lengths().max())):
        samples = with_reference(engine, samples, order, job)  # while the weights are those that training starts from
        progress = _resume(engine)
        with _Reporter(job, rank, progress.step) as report:
            save_every = config.checkpoint_every or per_epoch
            plan = Plan(per_epoch * config.epochs, save_every, job.seed, _saver(engine), report)
            batches = step_batches(samples, order, rank, progress.step, config.epochs)
            train(engine, batches, objective, config, plan, progress)
    summary = job.summary | {"precision": config.precision} | summarise(progress, objective)
    checkpoint.export(engine.module, job.init, job.output, config.zero_stage, summary)
    ray.train.report({"step": progress.step})


def build_engine(job: TrainJob, objective: Objective, pad_id: int, world: int) -> Any:
    """A DeepSpeed engine around the model. At stage 3 the weights are split while they are loaded."""
    settings = deepspeed_config(job.config, world)
    # transformers looks for this object while it loads; it must live until the model is there.
    split = HfDeepSpeedConfig(settings) if job.config.zero_stage == 3 else None
    readout = models.load(job.init, objective.kind, job.config, pad_id)
    del split
    engine, *_ = deepspeed.initialize(model=readout, model_parameters=list(readout.parameters()), config=settings)
    return engine


def with_reference(engine: Any, samples: TokenizedSet, order: PlanConfig, job: TrainJob) -> TokenizedSet:
    """The samples with the reference log-probabilities that their kind needs, computed once and kept with them on disk.

    Each rank computes a share. Rank 0 writes only after it has everybody's, so all ranks found the same file before.
    """
    if samples.kind is not Kind.PREFERENCES or len(samples.reference):
        return samples
    rank = distributed.get_rank()
    found = torch.from_numpy(reference(engine, samples, order, rank, engine.device)).to(engine.device)
    distributed.all_reduce(found)
    samples = replace(samples, reference=found.cpu().numpy())
    if rank == 0:
        samples.save(job.samples)
    return samples


def _resume(engine: Any) -> TrainProgress:
    last = ray.train.get_checkpoint()
    if last is None:
        return TrainProgress()
    with last.as_directory() as directory:
        return checkpoint.restore(engine, Path(directory))


def _saver(engine: Any) -> Callable[[TrainProgress], None]:
    def save(progress: TrainProgress) -> None:
        with tempfile.TemporaryDirectory() as directory:
            checkpoint.save(engine, Path(directory), progress)
            ray.train.report({"step": progress.step}, checkpoint=ray.train.Checkpoint.from_directory(directory))

    return save


def summarise(progress: TrainProgress, objective: Objective) -> dict[str, Any]:
    """Final loss and metrics: means over the last tenth of the steps."""
    last = progress.history[-max(1, len(progress.history) // 10) :]
    means = [sum(column) / len(last) for column in zip(*last, strict=True)]
    return {
        "steps": progress.step,
        "tokens": progress.tokens,
        "train_seconds": round(progress.seconds, 3),
        "final_loss": means[0],
        "metrics": dict(zip(objective.metrics, means[1:], strict=True)),
    }


class _Reporter:
    """Writes reports to TensorBoard and to the file that the driver follows; on rank 0 only."""

    def __init__(self, job: TrainJob, rank: int, first_step: int) -> None:
        self.writer = SummaryWriter(str(job.tensorboard), purge_step=first_step + 1) if rank == 0 else None
        self.file = job.progress_file.open("a", buffering=1) if rank == 0 else None

    def __enter__(self) -> _Reporter:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.writer and self.file:
            self.writer.close()
            self.file.close()

    def __call__(self, report: TrainReport) -> None:
        if not self.writer or not self.file:
            return
        values = asdict(report)
        metrics = values.pop("metrics")
        for name in ("loss", "learning_rate", "gradient_norm", "tokens_per_second"):
            self.writer.add_scalar(f"train/{name}", values[name], report.step)
        for name, value in metrics.items():
            self.writer.add_scalar(f"train/{name}", value, report.step)
        self.file.write(json.dumps(asdict(report)) + "\n")
