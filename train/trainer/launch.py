"""Trains one model on Ray Train and leaves a Hugging Face directory: the driver's side.

    records ──> samples.npz ──> TorchTrainer ──> workers: loop, checkpoints, export ──> output directory
                                                   │ progress.jsonl                         │ train.json
                                  callback <───────┘                        TrainResult <───┘

Knows Ray; what happens in a worker is ``train.trainer.worker``'s business.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import ray
import ray.train
from ray.train.torch import TorchConfig, TorchTrainer

from search.errors import UserError
from search.formats.registry import StepFormat
from train.config import TrainConfig
from train.data.loading import load_samples
from train.data.tokenized import TokenizedSet
from train.objectives import OBJECTIVES
from train.trainer.entry import enter
from train.trainer.job import SUMMARY, TrainJob, TrainReport

POLL_S = 0.3  # seconds between two looks at the workers' reports
# Settings that say how a run is carried out, not what it learns: they may change when a run is taken up again.
OPERATIONAL = {"max_failures", "start_deadline_s", "log_every", "cpus_per_worker"}

ProgressCallback = Callable[[TrainReport], None]


@dataclass(frozen=True, slots=True)
class TrainTask:
    """What to train on what.

    ``objective`` is a name in ``train.objectives.OBJECTIVES``; ``init`` a Hugging Face directory, for dpo and dpo_nll
    also the reference; ``data`` JSON lines of Trajectory (sft, orm), PreferencePair (ppm, dpo, dpo_nll) or StepLabels
    (prm, q_regression); ``output`` the directory to make; ``work`` keeps checkpoints and TensorBoard files. Where
    workers run on several machines, all paths must be on storage that they share.
    """

    objective: str
    init: Path
    data: tuple[Path, ...]
    format: StepFormat
    output: Path
    work: Path
    seed: int
    name: str


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a run did. ``final_loss`` and ``metrics`` are means over the last tenth of the steps.

    ``samples`` learnt from; records ``dropped`` by reason, and of those kept how many were "cut" short; ``tokens`` seen
    over all epochs, padding left out;
    ``train_seconds`` in the loop alone, ``seconds`` in the call that finished the run, start-up included;
    ``precision`` is what was computed in.
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


class TrainingFailed(RuntimeError):
    """The workers failed more often than allowed, or did not start in time."""


def fit(config: TrainConfig, task: TrainTask, progress: ProgressCallback | None = None) -> TrainResult:
    """Train, export to ``task.output`` and say what was done.

    Starts Ray on this machine unless the caller has. A run that was killed goes on from its last checkpoint when called
    again with the same config, task and data; one that is complete returns its result at once. Raises UserError for
    bad input, NothingToLearn where no sample is left, TrainingFailed where the workers failed.
    """
    begin = time.monotonic()
    if task.objective not in OBJECTIVES:
        raise UserError(f"unknown objective {task.objective!r}: one of {', '.join(sorted(OBJECTIVES))}")
    kind = OBJECTIVES[task.objective].kind
    samples, dropped = load_samples(kind, task.init, task.data, task.format, config.max_length)
    key = fingerprint(config, task, samples)
    name = f"{task.name}-{key[:12]}"
    if task.output.exists():
        result = _finished(task.output, key)
        _tidy(task.work, name)
        return result
    task.work.mkdir(parents=True, exist_ok=True)
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False)
    cores, gpu = placement(config, ray.nodes())
    facts = {"fingerprint": key, "epochs": config.epochs, "samples": len(samples), "dropped": dropped}
    job = TrainJob(
        name,
        task.objective,
        task.init.absolute(),
        _samples_file(task.work, name).absolute(),
        task.output.absolute(),
        task.work.absolute(),
        task.seed,
        cores,
        config,
        facts,
    )
    if not job.samples.exists():  # those of a run that was killed may hold the reference's log-probabilities already
        samples.save(job.samples)
    with following(job.progress_file, progress):
        _launch(config, job, cores, gpu)
    _tidy(task.work, name)
    return _finished(task.output, key, time.monotonic() - begin)


def _launch(config: TrainConfig, job: TrainJob, cores: int, gpu: bool) -> None:
    os.environ["RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"] = str(config.start_deadline_s)
    trainer = TorchTrainer(
        enter,
        train_loop_config={"job": job, "gpu": gpu},
        torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
        scaling_config=ray.train.ScalingConfig(
            num_workers=config.workers, use_gpu=gpu, resources_per_worker={"CPU": cores, **({"GPU": 1} if gpu else {})}
        ),
        run_config=ray.train.RunConfig(
            name=job.name,
            storage_path=str(_checkpoints(job.work)),
            failure_config=ray.train.FailureConfig(max_failures=config.max_failures, controller_failure_limit=0),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1),
        ),
    )
    try:
        trainer.fit()
    except ray.train.TrainingFailedError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise TrainingFailed(f"training {job.name} failed: {lines[-1].strip() if lines else error!r}") from error


def fingerprint(config: TrainConfig, task: TrainTask, samples: TokenizedSet) -> str:
    """Names everything that decides what is learnt: settings, seed, tokenised samples and the weights to start from."""
    digest = blake2b(digest_size=16)
    digest.update(config.model_dump_json(exclude=OPERATIONAL).encode())
    digest.update(f"{task.objective}\x1f{task.seed}\x1f{task.init.absolute()}".encode())
    for file in sorted((*task.init.glob("*.safetensors"), *task.init.glob("*.bin"))):
        stat = file.stat()
        digest.update(f"\x1f{file.name}\x1f{stat.st_size}\x1f{stat.st_mtime_ns}".encode())
    for array in (samples.tokens, samples.targets, samples.starts, samples.labels):
        digest.update(array.tobytes())
    return digest.hexdigest()


def placement(config: TrainConfig, nodes: Sequence[Mapping[str, Any]]) -> tuple[int, bool]:
    """CPU cores of a worker and whether it gets a GPU, for ``nodes`` as Ray describes them.

    Without ``cpus_per_worker``: the most cores with which all workers find room. Raises UserError where they cannot.
    """
    rooms = [
        (int(node["Resources"].get("CPU", 0)), int(node["Resources"].get("GPU", 0))) for node in nodes if node["Alive"]
    ]
    gpu = config.use_gpu is True or (config.use_gpu == "auto" and sum(room[1] for room in rooms) >= config.workers)
    most = max((room[0] for room in rooms), default=0)
    for cores in [config.cpus_per_worker] if config.cpus_per_worker else range(most, 0, -1):
        if sum(min(cpus // cores, gpus if gpu else cpus) for cpus, gpus in rooms) >= config.workers:
            return cores, gpu
    wanted = f"{config.cpus_per_worker or 1} CPU core(s)" + (" and a GPU" if gpu else "")
    raise UserError(f"no room for {config.workers} training workers of {wanted} each: nodes have (CPUs, GPUs) {rooms}")


@contextmanager
def following(file: Path, progress: ProgressCallback | None) -> Iterator[None]:
    """Calls ``progress`` from a thread for each report that is written to ``file`` meanwhile."""
    file.unlink(missing_ok=True)
    if progress is None:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_follow, args=(file, progress, stop), name="train-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _follow(file: Path, progress: ProgressCallback, stop: threading.Event) -> None:
    position = 0
    while True:
        last = stop.wait(POLL_S)
        if file.exists():
            with file.open("rb") as lines:
                lines.seek(position)
                for line in lines:
                    if not line.endswith(b"\n"):
                        break
                    position += len(line)
                    progress(TrainReport(**json.loads(line)))
        if last:
            return


def _samples_file(work: Path, name: str) -> Path:
    return work / f"{name}.samples.npz"


def _checkpoints(work: Path) -> Path:
    return work / "checkpoints"


def _tidy(work: Path, name: str) -> None:
    """After the export neither checkpoints nor tokenised samples are of use."""
    shutil.rmtree(_checkpoints(work) / name, ignore_errors=True)
    _samples_file(work, name).unlink(missing_ok=True)


def _finished(output: Path, key: str, seconds: float = 0.0) -> TrainResult:
    file = output / SUMMARY
    facts: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    if facts.pop("fingerprint", None) != key:
        raise UserError(f"{output} exists and was not made by this training run: choose another place or remove it")
    return TrainResult(output=output, seconds=seconds, **facts)
