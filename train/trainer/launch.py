"""Train one model on Ray Train and export a Hugging Face directory: the driver's side.

records ──> samples.npz ──> TorchTrainer ──> workers: loop, checkpoints, export ──> output directory
                                               │ progress.jsonl                         │ train.json
                              callback <───────┘                        TrainResult <───┘
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import ray
import ray.train
from ray.train.torch import TorchConfig, TorchTrainer

from search.concurrency import run_in_background
from search.errors import UserError
from search.formats.base import StepFormat
from search.formats.model_prompt import ModelPrompt, build_format
from search.storage.object_store import fetch_if_stored
from search.storage.schema import SCHEMA_KEY, SCHEMA_VERSION, UNVERSIONED, check_schema
from train.config import NOT_IN_FINGERPRINT, TrainConfig
from train.data.loading import load_samples
from train.data.tokenized import TokenizedSet
from train.objectives import OBJECTIVES, Objective
from train.trainer import saved_state, stored_training
from train.trainer.entry import run_worker
from train.trainer.job import CHECKPOINTS, SUMMARY, TrainJob, TrainReport
from train.trainer.room import TrainingRoom

POLL_S = 0.3  # seconds between two reads of the workers' reports

ProgressCallback = Callable[[TrainReport], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainTask:
    """A model to train. If workers run on several machines, all paths must be on storage that they share.

    Attributes:
        objective: a name in ``train.objectives.OBJECTIVES``.
        initial_model: Hugging Face directory to start from; the reference model too, where the objective needs one.
        data: JSON lines of the objective's records.
        prompt: how the model is prompted: its format renders the records as text, without worked examples. The exported
            model says in its raystar.json that it was trained so.
        output: directory to make.
        work_directory: holds checkpoints, tokenised samples and TensorBoard files while the training runs.
        seed: of the order of samples and of dropout.
        name: of the run in Ray Train, logs and trackers; a part of the fingerprint is added.
        room: the nodes of a cluster, on which other actors run too; None: all cores of this machine are for the workers.
    """

    objective: str
    initial_model: Path
    data: tuple[Path, ...]
    prompt: ModelPrompt
    output: Path
    work_directory: Path
    seed: int
    name: str
    room: TrainingRoom | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """Result of a training run. ``final_loss`` and ``metrics`` are means over the last tenth of the steps.

    ``samples``: how many were trained on. ``dropped``: records left out by reason; "cut" counts kept ones that were cut
    short. ``tokens``: over all epochs, without padding. ``train_seconds``: in the loop alone. ``seconds``: of the call that
    finished the run, start-up included; 0 if it was complete already. ``precision``: of weights and activations.
    ``packing``: how sequences were laid out. ``hosts``: the address of each worker's machine, by rank.
    """

    output: Path
    steps: int
    epochs: int
    final_loss: float
    metrics: dict[str, float]
    samples: int
    dropped: dict[str, int]
    tokens: int
    train_seconds: float
    seconds: float
    precision: str = ""
    packing: str = "none"
    hosts: Sequence[str] = ()


class TrainingFailed(RuntimeError):
    """Workers failed more often than allowed, or did not start in time."""


def fit(config: TrainConfig, task: TrainTask, progress: ProgressCallback | None = None) -> TrainResult:
    """Train a model, export it to ``task.output`` and return the result.

    Starts Ray on this machine unless the caller has. Called again with the same config, task and data, it resumes a
    killed run from its last checkpoint, and returns the result of a complete one at once. Raises UserError for bad
    input, NothingToLearn if no sample is left, TrainingFailed if the workers failed.
    """
    start = time.monotonic()
    if task.objective not in OBJECTIVES:
        raise UserError(f"unknown objective {task.objective!r}: one of {', '.join(sorted(OBJECTIVES))}")
    objective = OBJECTIVES[task.objective]
    fetch_if_stored(task.initial_model)
    step_format = build_format(task.prompt, task.initial_model)
    tags = new_tags(config, objective, step_format)
    samples, dropped = load_samples(
        objective,
        task.initial_model,
        task.data,
        step_format,
        config.max_length,
        tags=tags,
        trust_remote_code=config.trust_remote_code,
    )
    key = fingerprint(config, task, samples)
    name = f"{task.name}-{key[:12]}"
    stored_training.fetch_output(task.output)
    if task.output.exists():
        result = _read_result(task.output, key)
        _remove_work_files(task.work_directory, name)
        return result
    task.work_directory.mkdir(parents=True, exist_ok=True)
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False)
    cores, gpu = worker_resources(config, task.room.training_nodes() if task.room else ray.nodes())
    facts = {
        SCHEMA_KEY: SCHEMA_VERSION,
        "fingerprint": key,
        "epochs": config.epochs,
        "samples": len(samples),
        "dropped": dropped,
    }
    job = TrainJob(
        name=name,
        objective=task.objective,
        initial_model=task.initial_model.absolute(),
        samples=_samples_file(task.work_directory, name).absolute(),
        output=task.output.absolute(),
        work_directory=task.work_directory.absolute(),
        seed=task.seed,
        threads=cores,
        config=config,
        tags=tags,
        prompt=replace(task.prompt, trained_on_format=True, reward_kind=objective.reward_model),
        summary=facts,
    )
    saved_state.check_samples(job.samples, samples)
    saved_state.check_checkpoint(_checkpoint_directory(job.work_directory, config) / name)
    if not job.samples.exists():  # those of a killed run may hold the reference log-probabilities already
        samples.save(job.samples)
    stored_training.upload_inputs(job)
    resources = {"CPU": float(cores), **({"GPU": 1.0} if gpu else {})}
    if task.room is not None:
        task.room.await_room([resources] * config.workers)
    with follow_reports(job.progress_file, progress):
        _launch(config, job, resources)
    stored_training.fetch_output(task.output)
    _remove_work_files(task.work_directory, name)
    return _read_result(task.output, key, time.monotonic() - start)


def _launch(config: TrainConfig, job: TrainJob, resources: dict[str, float]) -> None:
    gpu = "GPU" in resources
    os.environ["RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"] = str(config.start_deadline_s)
    trainer = TorchTrainer(
        run_worker,
        train_loop_config={"job": job, "gpu": gpu},
        torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
        scaling_config=ray.train.ScalingConfig(
            num_workers=int(config.workers), use_gpu=gpu, resources_per_worker=resources
        ),
        run_config=ray.train.RunConfig(
            name=job.name,
            **stored_training.checkpoint_storage(_checkpoint_directory(job.work_directory, config)),
            failure_config=ray.train.FailureConfig(max_failures=config.max_failures, controller_failure_limit=0),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1),
        ),
    )
    try:
        trainer.fit()
    except ray.train.TrainingFailedError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise TrainingFailed(f"training {job.name} failed: {lines[-1].strip() if lines else error!r}") from error


def new_tags(config: TrainConfig, objective: Objective, step_format: StepFormat) -> tuple[str, ...]:
    """Return the tags of the format that become tokens of their own if the tokenizer has none for them.

    A model with a reference learns none: the reference would not understand them.
    """
    return step_format.tags if config.tag_tokens and not objective.samples.needs_reference else ()


def fingerprint(config: TrainConfig, task: TrainTask, samples: TokenizedSet) -> str:
    """Return a hash of all that decides what is learnt: settings, seed, tokenised samples and the initial weights."""
    digest = blake2b(digest_size=16)
    digest.update(config.model_dump_json(include=set(TrainConfig.model_fields) - NOT_IN_FINGERPRINT).encode())
    digest.update(f"{task.objective}\x1f{task.seed}\x1f{task.initial_model.absolute()}".encode())
    for file in sorted((*task.initial_model.glob("*.safetensors"), *task.initial_model.glob("*.bin"))):
        stat = file.stat()
        digest.update(f"\x1f{file.name}\x1f{stat.st_size}\x1f{stat.st_mtime_ns}".encode())
    for array in (
        samples.tokens,
        samples.targets,
        samples.starts,
        samples.labels,
        samples.unit_weights,
        samples.problems,
    ):
        digest.update(array.tobytes())
    return digest.hexdigest()


def worker_resources(config: TrainConfig, nodes: Sequence[Mapping[str, Any]]) -> tuple[int, bool]:
    """Return the CPU cores of a worker and whether it gets a GPU, for ``nodes`` as Ray describes them.

    ``use_gpu: auto`` is a GPU where any node has one. Without ``cpus_per_worker`` the cores are as many as all workers can
    have. Raises UserError if the workers do not fit; where the config says both, the nodes may yet be added.
    """
    capacities = [
        (int(node["Resources"].get("CPU", 0)), int(node["Resources"].get("GPU", 0))) for node in nodes if node["Alive"]
    ]
    if config.use_gpu is True and config.cpus_per_worker is not None:
        return config.cpus_per_worker, True
    gpu = config.use_gpu is True or (config.use_gpu == "auto" and any(gpus for _, gpus in capacities))
    max_cores = max((cpus for cpus, _ in capacities), default=0)
    for cores in [config.cpus_per_worker] if config.cpus_per_worker else range(max_cores, 0, -1):
        if sum(min(cpus // cores, gpus if gpu else cpus) for cpus, gpus in capacities) >= config.workers:
            return cores, gpu
    resources = f"{config.cpus_per_worker or 1} CPU core(s)" + (" and a GPU" if gpu else "")
    raise UserError(
        f"no room for {config.workers} training workers of {resources} each: nodes have (CPUs, GPUs) {capacities}"
    )


@contextmanager
def follow_reports(file: Path, progress: ProgressCallback | None) -> Iterator[None]:
    """Call ``progress`` from a thread for each report that is written to ``file`` during the block."""
    file.unlink(missing_ok=True)
    if progress is None:
        yield
        return
    with run_in_background("train-progress", partial(_poll_reports, file, progress)):
        yield


def _poll_reports(file: Path, progress: ProgressCallback, stop: threading.Event) -> None:
    position = 0
    while True:
        is_last = stop.wait(POLL_S)
        if file.exists():
            with file.open("rb") as lines:
                lines.seek(position)
                for line in lines:
                    if not line.endswith(b"\n"):
                        break
                    position += len(line)
                    progress(TrainReport(**json.loads(line)))
        if is_last:
            return


def _samples_file(work: Path, name: str) -> Path:
    return work / f"{name}.samples.npz"


def _checkpoint_directory(work: Path, config: TrainConfig) -> Path:
    """Return the place of checkpoints that a training laid out like this can read.

    DeepSpeed's files are parts of a worker's states: with other workers or another ZeRO stage a training starts anew.
    """
    offload = "" if config.offload == "none" else f"-{config.offload}"
    return work / CHECKPOINTS / f"workers-{int(config.workers)}-zero-{int(config.zero_stage)}{offload}"


def _remove_work_files(work: Path, name: str) -> None:
    """Remove checkpoints and tokenised samples, which are of no use after the export."""
    for checkpoints in (work / CHECKPOINTS).glob(f"*/{name}"):
        shutil.rmtree(checkpoints, ignore_errors=True)
    stored_training.remove_stored(work / CHECKPOINTS)
    _samples_file(work, name).unlink(missing_ok=True)


def _read_result(output: Path, key: str, seconds: float = 0.0) -> TrainResult:
    file = output / SUMMARY
    facts: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    if facts:
        check_schema(output, facts.pop(SCHEMA_KEY, UNVERSIONED), "remove it")
    if facts.pop("fingerprint", None) != key:
        raise UserError(f"{output} exists and was not made by this training run: choose another place or remove it")
    return TrainResult(output=output, seconds=seconds, **facts)
