"""Choose how a training is laid out: workers, tokens of a forward pass, ZeRO stage, offload and checkpointing, by auto.

A step's samples are shared out over workers and forward passes, and what is learnt does not depend on how. So there are as
many workers as GPUs, as far as each has a sample of a step and computes for longer than it waits for the others. Of the
layouts that fit the memory the first is taken: the fastest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cluster.capacity.bundles import StageNeed, Supply
from cluster.capacity.choices.cards import (
    card_count,
    card_gib,
    cpu_nodes,
    gpu_nodes,
    is_one_machine,
    least_cpus_for_a_gpu,
    usable_nodes,
)
from cluster.capacity.groups import training_group
from cluster.capacity.memory.estimate import ModelShape
from cluster.capacity.memory.shortage import find_shortage
from search.config import is_auto
from train.config import LAYOUT, LEAST_STAGE, Offload, TrainConfig

# A layout should fit with a tenth to spare, for what PyTorch's allocator cannot join; where none does, it has to fit at all.
MARGINS = (1 / 0.9, 1.0)
FLOPS_OF_A_WEIGHT = 6  # for one token that is trained on
# A worker with less to compute in a step waits longer for the others: some milliseconds on a GPU, a tenth of a second on CPUs.
LEAST_FLOPS_ON_GPU, LEAST_FLOPS_ON_CPU = 1e12, 1e10
MOST_CPUS_FOR_A_GPU = 8  # a worker with a GPU computes there
MICRO_BATCHES = (8192, 4096, 2048)  # tokens of a forward pass; with fewer a GPU waits for its memory


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a training's states lie, and whether it computes activations twice."""

    zero_stage: int
    offload: Offload
    gradient_checkpointing: bool


# The fastest first; each with long forward passes before short ones. Stage 3 adds half of stage 1's traffic; activations
# computed twice are a third more work; AdamW on the host's CPUs, and weights that travel to the GPU and back, are slower by far.
LAYOUTS = (
    Layout(1, "none", False),
    Layout(2, "none", False),
    Layout(3, "none", False),
    Layout(1, "none", True),
    Layout(2, "none", True),
    Layout(3, "none", True),
    Layout(2, "optimizer", True),
    Layout(3, "optimizer", True),
    Layout(3, "optimizer_and_weights", True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The trainings of one model over the rounds: settings and objective of each, and the model's shape if it is known."""

    section: str
    train: TrainConfig
    rounds: Sequence[tuple[TrainConfig, str]]
    shape: ModelShape | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a training shares the cluster with: GPUs and CPUs of engines that stay, and how many train at once."""

    gpus: float = 0
    cpus: float = 0
    trainings: int = 1


def choose_training(training: Training, supply: Supply, beside: Beside) -> TrainConfig:
    """Return the settings of a training with values in place of auto."""
    on_gpus = bool(card_count(supply)) if training.train.use_gpu == "auto" else training.train.use_gpu is True
    most = _most_workers(training, supply, beside, on_gpus=on_gpus)
    useful = min(most, _useful_workers(training, on_gpus=on_gpus))
    workers = [useful, most] if is_auto(training.train.workers) else [training.train.workers]
    candidates = [
        _laid_out(training.train, layout, tokens, count, on_gpus)
        for count in workers
        for layout in LAYOUTS
        for tokens in MICRO_BATCHES
    ]
    allowed = [train for train in candidates if train.zero_stage >= LEAST_STAGE[train.offload]]
    spared = [train for train in allowed if train.offload == "none"]
    ordered = [*spared, *(train for train in allowed if train.offload != "none")] if on_gpus else allowed
    margins = MARGINS if on_gpus else MARGINS[-1:]  # without GPUs the defaults stand as long as they fit
    fitting = (
        train for margin in margins for train in ordered if _fits(training, train, supply, beside.trainings, margin)
    )
    chosen = next(fitting, ordered[-1] if on_gpus else ordered[0])
    return _with_cpus(chosen, supply, beside, on_gpus=on_gpus)


def _fits(training: Training, train: TrainConfig, supply: Supply, trainings: int, margin: float) -> bool:
    """Return whether a layout fits cards and hosts in every round, if it takes ``margin`` times what is estimated.

    A card is as small as the smallest. ``trainings``: so many models are trained at once.
    """
    on_gpus = train.use_gpu is True
    card = card_gib(supply) if on_gpus else math.inf
    for settings, objective in training.rounds:
        left_open = [name for name in LAYOUT if is_auto(getattr(settings, name))]
        laid_out = settings.model_copy(update={name: getattr(train, name) for name in left_open})
        if laid_out.zero_stage < LEAST_STAGE[laid_out.offload]:
            return False
        group = training_group(laid_out, training.shape, objective, on_gpus=on_gpus)
        if margin * group.bundle.gpu_memory_gib > card:
            return False
        if find_shortage([StageNeed("", (group,) * trainings)], supply, margin) is not None:
            return False
    return True


def _most_workers(training: Training, supply: Supply, beside: Beside, *, on_gpus: bool) -> int:
    """Return for how many workers there are GPUs, or nodes without them, and a sample in each step of every round."""
    if on_gpus:
        places = int(card_count(supply) - beside.gpus) // beside.trainings
    else:
        places = 1 if is_one_machine(supply) else len(cpu_nodes(supply)) // beside.trainings
    return max(1, min([places, *(settings.batch_size for settings, _ in training.rounds)]))


def _useful_workers(training: Training, *, on_gpus: bool) -> int:
    """Return over how many workers a step can be spread before they wait longer than they compute."""
    if training.shape is None:
        return max(1, min((settings.batch_size for settings, _ in training.rounds), default=1))
    tokens = min((settings.batch_size * settings.max_length for settings, _ in training.rounds), default=0)
    step = FLOPS_OF_A_WEIGHT * training.shape.parameters * tokens
    return max(1, int(step / (LEAST_FLOPS_ON_GPU if on_gpus else LEAST_FLOPS_ON_CPU)))


def _laid_out(train: TrainConfig, layout: Layout, tokens: int, workers: int, on_gpus: bool) -> TrainConfig:
    """Return the settings in a layout; values that the config says itself stay."""
    values: dict[str, Any] = {**asdict(layout), "micro_batch_tokens": tokens}
    left_open = {name: value for name, value in values.items() if is_auto(getattr(train, name))}
    return train.model_copy(update={**left_open, "workers": workers, "use_gpu": on_gpus})


def _with_cpus(train: TrainConfig, supply: Supply, beside: Beside, *, on_gpus: bool) -> TrainConfig:
    """Return the settings with CPU cores of a worker where they must be counted beforehand.

    Without them a training takes all cores of the nodes that are there. That is too much where others run beside it, and
    is not known of nodes that are yet to be added.
    """
    if train.cpus_per_worker is not None:
        return train
    if on_gpus:
        cores = least_cpus_for_a_gpu(gpu_nodes(supply)) if not beside.cpus else 1.0
        return train.model_copy(update={"cpus_per_worker": max(1, min(MOST_CPUS_FOR_A_GPU, int(cores)))})
    if beside.cpus or beside.trainings > 1:
        on_a_node = -(-train.workers * beside.trainings // max(1, len(cpu_nodes(supply))))
        free = min(_free_cpus(supply, beside)) / on_a_node
        return train.model_copy(update={"cpus_per_worker": max(1, int(free))})
    return train


def _free_cpus(supply: Supply, beside: Beside) -> Iterable[float]:
    nodes = cpu_nodes(supply) or usable_nodes(supply)
    return [node.cpus - beside.cpus / len(nodes) for node in nodes]
