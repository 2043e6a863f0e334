"""Turn the settings of engines, executors, search workers and trainings into the bundles that each takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from actors.config import EngineConfig
from actors.sandbox.config import ExecutorConfig
from cluster.capacity.bundles import EXECUTOR, MIB_PER_GIB, SEARCH_WORKER, TRAINING, Bundle, GroupNeed
from cluster.capacity.memory.estimate import ModelShape, serving_memory, training_memory
from cluster.capacity.memory.use import gib
from cluster.config.run_config import RunConfig
from train.config import TrainConfig

# Of a weight: two checkpoints, each with weights and two moments in 32 bits, while the next one is written; the export.
TRAINED_BYTES = 2 * 12 + 4
USUAL_CONTEXT = 4096  # tokens of a sequence where neither model nor config says how long one can be


def engine_group(role: str, engine: EngineConfig, shape: ModelShape | None) -> GroupNeed:
    """Return the engines of one model. ``shape``: of the model, None where it is not known.

    A card must hold, in the share that vLLM takes of it, all but the KV cache, and the cache of one sequence.
    """
    memory: dict[str, Any] = {}
    if shape is not None:
        use = serving_memory(shape, engine, sequences=1, context=longest_sequence(engine, [shape]))
        memory = {
            "memory_gib": use.per_host_gib,
            "soft_memory_gib": use.parts.get("processes", 0.0),
            "gpu_memory_gib": use.per_gpu_gib / engine.memory_share,
            "memory_parts": use.describe(),
        }
    return GroupNeed(role, int(engine.replicas), Bundle(cpus=engine.num_cpus, gpus=float(engine.gpus), **memory))


def longest_sequence(engine: EngineConfig, shapes: Iterable[ModelShape]) -> int:
    """Return the tokens of the longest sequence of engines that serve models of some shapes, as far as they are known."""
    if isinstance(engine.max_model_len, int):
        return engine.max_model_len
    return min([USUAL_CONTEXT, *(shape.context or USUAL_CONTEXT for shape in shapes)])


def executor_group(executor: ExecutorConfig) -> GroupNeed:
    """Return the executors. Their memory is that of the processes which they may keep, and of the programs that run."""
    programs = int(executor.concurrency) or 1
    memory = (executor.live_states_mib + programs * executor.memory_mib) / MIB_PER_GIB
    bundle = Bundle(
        cpus=executor.num_cpus,
        gpus=0,
        memory_gib=memory,
        soft_memory_gib=memory,  # limits, which programs seldom reach
        disk_gib=programs * executor.scratch_files * executor.scratch_file_mib / MIB_PER_GIB,
    )
    return GroupNeed(EXECUTOR, int(executor.replicas), bundle)


def worker_group(config: RunConfig) -> GroupNeed:
    """Return the search workers."""
    return GroupNeed(SEARCH_WORKER, int(config.workers.workers), Bundle(cpus=config.workers.num_cpus, gpus=0))


def training_group(train: TrainConfig, shape: ModelShape | None, objective: str, *, on_gpus: bool) -> GroupNeed:
    """Return the workers of a training. ``on_gpus``: what ``use_gpu: auto`` means, where nothing has chosen yet."""
    workers = int(train.workers)
    use_gpu = train.use_gpu if isinstance(train.use_gpu, bool) else on_gpus
    memory: dict[str, Any] = {}
    if shape is not None:
        use = training_memory(shape, train, workers=workers, gpus=workers if use_gpu else 0, objective=objective)
        memory = {
            "memory_gib": use.per_host_gib,
            "soft_memory_gib": use.parts.get("process", 0.0),
            "gpu_memory_gib": use.per_gpu_gib,
            "memory_parts": use.describe(),
            "disk_gib": gib(shape.parameters * TRAINED_BYTES) / workers,
        }
    bundle = Bundle(cpus=train.cpus_per_worker or 1, gpus=float(use_gpu), **memory)
    return GroupNeed(TRAINING, workers, bundle)


def uses_gpus(config: RunConfig) -> bool:
    """Return whether any engine of the config asks for a GPU."""
    further = [policy.engine for policy in config.policies if policy.engine is not None]
    return any(engine.gpus for engine in (config.policy.engine, config.reward_model.engine, *further))
