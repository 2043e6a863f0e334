"""Estimate the memory of one worker of a training: weights, gradients, optimizer states, activations, offload to the host.

A weight takes s bytes, 2 in bf16 and 4 in fp32, a gradient as many, and AdamW 12 more: a copy in float32 (none at stage 0 in
fp32) and two moments. ZeRO splits over N workers the optimizer's from stage 1 up, gradients from 2 up, weights at 3. On
GPUs what DeepSpeed's own estimators say is taken at the stages that they know. Beside the states stands the greater of

    the backward pass   activations, and DeepSpeed's buffers for gradients
    the step            gradients in float32, and the square roots and quotients of torch's AdamW
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cluster.capacity.memory.activations import (
    FLOAT32,
    Activations,
    kept_bytes,
    largest_micro_batch,
)
from cluster.capacity.memory.deepspeed_estimators import StateBytes, zero2_states, zero3_states
from cluster.capacity.memory.precision import training_bytes
from cluster.capacity.memory.shape import ModelShape
from cluster.capacity.memory.use import MemoryUse, gib, on_gpu, on_host
from train.config import LONGEST_PLAIN_ATTENTION, TrainConfig
from train.objectives import OBJECTIVES

MASTER, MOMENTS = 4, 8  # bytes a weight: a copy in float32, AdamW's two moments
BUCKET = 500_000_000  # elements of DeepSpeed's buffer for gradients that are summed over workers
GATHERED = 1_000_000_000  # weights that ZeRO-3 holds whole at once
HOST_FACTOR = 1.5  # of DeepSpeed's estimators: what the host holds beside what they count
HEAP_BLOCK = 32 * 2**20  # bytes; glibc gives larger blocks back to the system at once (its largest mmap threshold)
# Measured: docs/memory.md.
PROCESS_GIB = 1.0  # a worker's process with torch, transformers and DeepSpeed
RAY_TRAIN_GIB = 1.0  # Ray Train's controller and its seven small actors
CUDA_GIB = 1.5  # a GPU's context and kernels, and NCCL's buffers; not measured


def training_memory(
    shape: ModelShape,
    train: TrainConfig,
    *,
    workers: int,
    gpus: int,
    objective: str = "sft",
    longest: int | None = None,
    trained: int | None = None,
    has_bf16: bool | None = None,
) -> MemoryUse:
    """Return what one worker of a training takes at its peak.

    Args:
        shape: of the model.
        train: settings; ``precision`` "auto" is bf16 where the processor computes in it.
        workers: workers of the training.
        gpus: that they have, one each; 0 on CPUs.
        objective: a name in ``train.objectives.OBJECTIVES``.
        longest: tokens of the longest sequence that the model can write; None: ``max_length``.
        trained: weights that have gradients and optimizer states, if not all have (adapters).
        has_bf16: whether the processor computes in bfloat16; None: a GPU does, a CPU if this machine's does.
    """
    head = shape.head if OBJECTIVES[objective].head else 0  # a reward model has no output layer of its own
    element = training_bytes(train.precision, gpus > 0, has_bf16)
    batch = largest_micro_batch(train, objective, workers, longest)
    plain = not gpus and batch.length <= LONGEST_PLAIN_ATTENTION
    states = _States(
        shape=shape,
        parameters=shape.parameters - head,
        trained=min(trained or shape.parameters, shape.parameters - head),
        element=element,
        workers=workers,
        stage=train.zero_stage,
    )
    activations = kept_bytes(shape, batch, element, checkpointing=train.gradient_checkpointing, plain=plain)
    return _on_gpus(states, train, activations.total) if gpus else _on_cpus(states, activations, batch.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class _States:
    """What is split over the workers of a training.

    Attributes:
        shape: of the model.
        parameters: weights that the worker loads.
        trained: those that have gradients and optimizer states.
        element: bytes of a weight.
        workers: that share the states.
        stage: of ZeRO.
    """

    shape: ModelShape
    parameters: int
    trained: int
    element: int
    workers: int
    stage: int

    def share(self, count: float, from_stage: int) -> float:
        """Return what one worker holds of ``count`` bytes that are split from a stage on."""
        return count / self.workers if self.stage >= from_stage else count

    @property
    def weights(self) -> float:
        return self.share(self.element * self.parameters, 3)

    @property
    def gradients(self) -> float:
        return self.share(self.element * self.trained, 2)

    @property
    def optimizer(self) -> float:
        has_copy = self.stage > 0 or self.element < FLOAT32
        return self.share((MASTER * has_copy + MOMENTS) * self.trained, 1)

    @property
    def gradient_copy(self) -> float:
        """Bytes of the gradients in float32 that a step works on."""
        return self.share(FLOAT32 * self.trained, 1) if self.stage > 0 or self.element < FLOAT32 else 0.0

    def temporaries(self, *, on_gpu: bool) -> float:
        """Bytes of the square roots and quotients in a step of AdamW: two on a CPU, one, in place, on a GPU.

        At stage 0 a CPU takes one tensor after the other, else all weights are one tensor.
        """
        if on_gpu:
            return self.share(FLOAT32 * self.trained, 1)
        whole = self.share(self.trained, 1) if self.stage > 0 else min(self.shape.largest_layer, self.trained)
        return 2 * FLOAT32 * whole

    def buffers(self, *, on_gpu: bool) -> float:
        """Bytes of DeepSpeed's buffers; a CPU's memory holds only what is written to. ZeRO-3 has two, and gathered weights."""
        bucket = self.element * (BUCKET if on_gpu else min(BUCKET, self.trained))
        if self.stage == 3:
            return 2 * bucket + self.element * min(GATHERED, self.parameters)
        return bucket if self.stage == 2 or (self.stage == 1 and on_gpu) else 0.0


def _on_cpus(states: _States, activations: Activations, tokens: int) -> MemoryUse:
    """Return the use of a worker without a GPU. What is offloaded lies in the same memory, so offload spares nothing.

    The C library keeps what is freed in blocks below HEAP_BLOCK: activations of few ``tokens`` and gradients of narrow layers
    are still there when a step needs its own memory.
    """
    shape, element = states.shape, states.element
    step = states.gradient_copy + states.temporaries(on_gpu=False)
    if tokens * shape.intermediate * element < HEAP_BLOCK:
        step += activations.layers
    if shape.hidden * shape.intermediate * element < HEAP_BLOCK:
        step += element * max(0, states.trained - shape.embedding - shape.head)
    working = {"activations": activations.total + states.buffers(on_gpu=False), "optimizer step": step}
    parts = _parts(states.weights, states.gradients, states.optimizer, working)
    return on_host(parts | {"process": PROCESS_GIB, "Ray Train": RAY_TRAIN_GIB / states.workers})


def _on_gpus(states: _States, train: TrainConfig, activations: float) -> MemoryUse:
    """Return the use of a worker with a GPU, and of its share of the host's memory."""
    offloads, offloads_weights = train.offload != "none", train.offload == "optimizer_and_weights"
    known = _deepspeed_states(states, offloads=offloads, offloads_weights=offloads_weights)
    spared = states.gradients + states.optimizer + states.gradient_copy
    weights, gradients = (0.0 if offloads_weights else states.weights), (0.0 if offloads else states.gradients)
    optimizer = spared - gradients if not offloads else 0.0
    host = states.share(
        states.element * states.parameters, 3
    )  # they are loaded there, at stage 3 a share of each worker
    if offloads:
        host += HOST_FACTOR * (spared + (states.weights if offloads_weights else 0.0))
    gathered = 0.0
    if known is not None:
        gathered = max(0.0, known.gpu - weights - gradients - optimizer)
        host = max(host, known.host / states.workers if offloads else 0.0)
    working = {
        "activations": activations + states.buffers(on_gpu=True),
        "optimizer step": 0.0 if offloads else states.temporaries(on_gpu=True),
    }
    parts = _parts(weights, gradients, optimizer, working) | {"gathered weights": gib(gathered), "CUDA": CUDA_GIB}
    return on_gpu(parts, gib(host) + PROCESS_GIB + RAY_TRAIN_GIB / states.workers)


def _deepspeed_states(states: _States, *, offloads: bool, offloads_weights: bool) -> StateBytes | None:
    """Return what DeepSpeed's estimators say; None where they say nothing: below stage 2, in fp32, or with adapters."""
    if states.stage < 2 or states.element == FLOAT32 or states.trained < states.parameters:
        return None
    if states.stage == 2:
        return zero2_states(states.parameters, states.workers, offload=offloads)
    largest = states.shape.largest_layer
    return zero3_states(states.parameters, largest, states.workers, offload=offloads, offload_weights=offloads_weights)


def _parts(weights: float, gradients: float, optimizer: float, working: Mapping[str, float]) -> dict[str, float]:
    """Return the parts in GiB; of what is worked with only the greatest, since backward pass and step take turns."""
    largest = max(working, key=working.__getitem__)
    parts = {"weights": weights, "gradients": gradients, "optimizer": optimizer, largest: working[largest]}
    return {name: gib(count) for name, count in parts.items()}
