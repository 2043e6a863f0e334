"""Run one Ray Train worker: build the engine, add the reference, restore the last checkpoint, train, export.

All ranks run the same code; rank 0 also reports and writes.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import deepspeed
import ray
import ray.train
import ray.train.torch
import torch
from torch import distributed
from transformers.integrations import HfDeepSpeedConfig
from transformers.utils import logging as transformers_logging

from search.errors import UserError
from train.config import TrainConfig
from train.data.batches import step_batches
from train.data.model_tokenizer import ModelTokenizer, load_tokenizer
from train.data.plan import Packing, PlanConfig, longest_row, steps_per_epoch
from train.data.tokenized import TokenizedSet
from train.objectives import OBJECTIVES, Objective
from train.objectives.base import LossFunctions
from train.trainer import checkpoint, models
from train.trainer.job import TrainJob, TrainProgress, TrainReport
from train.trainer.loop import TrainPlan, train
from train.trainer.models import resolve_precision
from train.trainer.reference_logprobs import reference_log_probs
from train.trainer.saved_state import record_files
from train.trainer.stored_training import fetch_inputs, upload_output
from train.trainer.trackers.registry import open_trackers
from train.trainer.tree_attention import takes_trees


def deepspeed_config(config: TrainConfig, world_size: int) -> dict[str, Any]:
    """Return DeepSpeed's settings. Accumulation is 1 because the loop itself marks where a step ends."""
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
                **({"fused": True} if config.offload != "none" or torch.cuda.is_available() else {}),
            },
        },
        "zero_optimization": {"stage": int(config.zero_stage), **offload_config(config)},
        "bf16": {"enabled": config.precision == "bf16"},
        "gradient_clipping": config.gradient_clip,
        "steps_per_print": 1_000_000_000,
        "wall_clock_breakdown": False,
    }


def offload_config(config: TrainConfig) -> dict[str, Any]:
    """Return DeepSpeed's settings for what lies in the memory of the host and not of the GPU."""
    host = {"device": "cpu"}
    settings = {"optimizer": ("offload_optimizer",), "optimizer_and_weights": ("offload_optimizer", "offload_param")}
    return {name: dict(host) for name in settings.get(config.offload, ())}


def init_distributed() -> None:
    """Hand PyTorch's process group to DeepSpeed.

    On a CPU DeepSpeed would first compile a shared-memory all-reduce, which only its inference engine uses. Marking the
    operator as unavailable saves half a minute and the need for a compiler.
    """
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(dist_backend=distributed.get_backend(), verbose=False)


def run(job: TrainJob) -> None:
    """Train and export the job's model. On any error Ray Train restarts the group from the last checkpoint."""
    if job.output.exists():
        return  # the worker group was restarted after its export
    fetch_inputs(job)
    device = ray.train.torch.get_device()
    if device.type == "cpu":
        torch.set_num_threads(job.threads)
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    init_distributed()
    rank, world = distributed.get_rank(), distributed.get_world_size()
    job = replace(job, config=resolve_precision(job.config, device))
    objective, config = OBJECTIVES[job.objective], job.config
    functions = objective.functions()
    samples = TokenizedSet.load(job.samples)
    tokenizer = _tokenizer_with_tags(job)
    engine = build_engine(job, objective, samples.pad_id, world, tokenizer.new_tokens if tokenizer else {})
    per_epoch = steps_per_epoch(len(samples), config.batch_size)
    order = PlanConfig(
        batch_size=config.batch_size,
        micro_batch_tokens=config.micro_batch_tokens,
        world_size=world,
        seed=job.seed,
        packing=resolve_packing(engine, config),
    )
    with models.attention_kernel(device, longest_row(samples, order)):
        samples = add_reference(engine, samples, order, job)  # before the checkpoint changes the weights
        progress = _restore_checkpoint(engine)
        with _Reporter(job, rank, progress.step) as report:
            save_every = config.checkpoint_every or per_epoch
            plan = TrainPlan(
                steps=per_epoch * config.epochs,
                save_every=save_every,
                seed=job.seed,
                save=_checkpoint_saver(engine),
                report=report,
            )
            batches = step_batches(samples, order, rank, progress.step, config.epochs)
            train(engine, batches, functions, config, plan, progress)
    carried_out = {"precision": config.precision, "packing": order.packing, "hosts": gather_hosts(world)}
    summary = job.summary | carried_out | summarise(progress, functions)
    checkpoint.export(engine.module, job.initial_model, job.output, config.zero_stage, summary, job.prompt, tokenizer)
    if rank == 0:
        upload_output(job)
    ray.train.report({"step": progress.step})


def gather_hosts(world: int) -> list[str]:
    """Return the address of the machine of each of ``world`` ranks. Every rank must call it."""
    hosts = [""] * world
    distributed.all_gather_object(hosts, ray.util.get_node_ip_address())
    return hosts


def resolve_packing(engine: Any, config: TrainConfig) -> Packing:
    """Return the packing: "tree" unless the config says "none", or leaves it open for a model whose attention takes no trees.

    Raises UserError where the config wants trees and the model does not take them.
    """
    if config.packing == "none":
        return "none"
    engine.eval()
    if takes_trees(engine, engine.device):
        return "tree"
    if config.packing == "tree":
        raise UserError("packing: tree: this model's attention does not take trees: leave packing out")
    return "none"


def _tokenizer_with_tags(job: TrainJob) -> ModelTokenizer | None:
    """Return the tokenizer with the job's tags as tokens, None if it has none."""
    trust = job.config.trust_remote_code
    return load_tokenizer(job.initial_model, tags=job.tags, trust_remote_code=trust) if job.tags else None


def build_engine(
    job: TrainJob, objective: Objective, pad_id: int, world: int, new_tokens: Mapping[int, Sequence[int]]
) -> Any:
    """Return a DeepSpeed engine around the model. At stage 3 the weights are split while they are loaded.

    ``new_tokens``: as of ``models.load_model``.
    """
    settings = deepspeed_config(job.config, world)
    # transformers looks for this object while it loads a model, so it must live until then.
    zero3 = HfDeepSpeedConfig(settings) if job.config.zero_stage == 3 else None
    model = models.load_model(job.initial_model, objective.head, job.config, pad_id, new_tokens)
    del zero3
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    engine, *_ = deepspeed.initialize(model=model, model_parameters=learnt, config=settings)
    return engine


def add_reference(engine: Any, samples: TokenizedSet, order: PlanConfig, job: TrainJob) -> TokenizedSet:
    """Return the samples with reference log-probabilities if their kind needs them; they are saved with the samples.

    Each rank computes a share. Rank 0 writes after the all-reduce, so all ranks have read the same file before.
    """
    if not samples.kind.needs_reference or len(samples.reference):
        return samples
    rank = distributed.get_rank()
    log_probs = torch.from_numpy(reference_log_probs(engine, samples, order, rank, engine.device)).to(engine.device)
    distributed.all_reduce(log_probs)
    samples = replace(samples, reference=log_probs.cpu().numpy())
    if rank == 0:
        samples.save(job.samples)
    return samples


def _restore_checkpoint(engine: Any) -> TrainProgress:
    last = ray.train.get_checkpoint()
    if last is None:
        return TrainProgress()
    with last.as_directory() as directory:
        return checkpoint.restore(engine, Path(directory))


def _checkpoint_saver(engine: Any) -> Callable[[TrainProgress], None]:
    def save(progress: TrainProgress) -> None:
        with tempfile.TemporaryDirectory() as directory:
            checkpoint.save(engine, Path(directory), progress)
            record_files(Path(directory), distributed.get_rank())
            ray.train.report({"step": progress.step}, checkpoint=ray.train.Checkpoint.from_directory(directory))

    return save


def summarise(progress: TrainProgress, functions: LossFunctions) -> dict[str, Any]:
    """Return the run's totals, with loss and metrics as means over the last tenth of the steps."""
    last = progress.history[-max(1, len(progress.history) // 10) :]
    means = [sum(column) / len(last) for column in zip(*last, strict=True)]
    return {
        "steps": progress.step,
        "tokens": progress.tokens,
        "train_seconds": round(progress.seconds, 3),
        "final_loss": means[0],
        "metrics": dict(zip(functions.metrics, means[1:], strict=True)),
    }


TRACKED = ("loss", "learning_rate", "gradient_norm", "tokens_per_second")


class _Reporter:
    """Writer of reports to trackers and to the file that the driver follows. Does nothing on ranks other than 0."""

    def __init__(self, job: TrainJob, rank: int, first_step: int) -> None:
        names = job.config.trackers if rank == 0 else ()
        self.trackers = open_trackers(names, job.work_directory, job.name, first_step + 1)
        self.file = job.progress_file.open("a", buffering=1) if rank == 0 else None

    def __enter__(self) -> _Reporter:
        return self

    def __exit__(self, *exception: object) -> None:
        for tracker in self.trackers:
            tracker.close()
        if self.file:
            self.file.close()

    def __call__(self, report: TrainReport) -> None:
        if not self.file:
            return
        scalars = {f"train/{name}": getattr(report, name) for name in TRACKED}
        scalars |= {f"train/{name}": value for name, value in report.metrics.items()}
        for tracker in self.trackers:
            tracker.write(report.step, scalars)
        self.file.write(json.dumps(asdict(report)) + "\n")
