"""Say which numbers were chosen for a config and why, a line for each part of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from actors.config import EngineConfig
from cluster.capacity.bundles import POLICY, REWARD_MODEL, StageNeed, Supply
from cluster.capacity.choices.cards import (
    ASSUMED_CARD_GIB,
    card_count,
    card_gib,
    gpu_nodes,
    is_one_machine,
    usable_nodes,
)
from cluster.capacity.memory.estimate import ModelShape, serving_memory
from cluster.capacity.wording import count, field_of, number
from cluster.config.run_config import RunConfig
from search.config import is_auto
from search.protocols import policy_role
from train.config import TrainConfig

ENGINE_FIELDS = ("gpus", "replicas", "max_num_seqs", "gpu_memory_utilization")
TRAIN_FIELDS = ("workers", "use_gpu", "micro_batch_tokens", "zero_stage", "offload", "gradient_checkpointing")


def explain_choices(
    written: RunConfig,
    chosen: RunConfig,
    supply: Supply,
    stages: Sequence[StageNeed],
    shapes: Mapping[str, ModelShape],
) -> Iterator[str]:
    """Yield a line for each part of a config that auto stood in and that the stages of the command need.

    There are none on one machine without a GPU, where all numbers are defaults.
    """
    sections = {field_of(group, stage.stage) for stage in stages for group in stage.groups}
    if is_one_machine(supply) or not sections:
        return
    yield _describe_cards(supply)
    if sections & {"executor", "workers"}:
        yield from _describe_actors(written, chosen)
    yield from (line for section, line in _describe_engines(written, chosen, supply, shapes) if section in sections)
    for role in (POLICY, REWARD_MODEL):
        before, train = getattr(written.train, role), getattr(chosen.train, role)
        fields = _auto_fields(before, TRAIN_FIELDS)
        if fields and {f"train.{role}", "train"} & sections:
            use = max(
                group.bundle.gpu_memory_gib
                for stage in stages
                for group in stage.groups
                if field_of(group, stage.stage) in (f"train.{role}", "train")
            )
            yield f"train.{role}: {_describe_training(train, use, supply)} (auto: {', '.join(fields)})"


def _describe_engines(
    written: RunConfig, chosen: RunConfig, supply: Supply, shapes: Mapping[str, ModelShape]
) -> Iterator[tuple[str, str]]:
    """Yield each section of engines in which something was chosen, and what it was."""
    pairs = {"policy.engine": (written.policy.engine, chosen.policy.engine, shapes.get(POLICY))}
    for place, (before, after) in enumerate(zip(written.policies, chosen.policies, strict=True)):
        engine = before.engine or written.policy.engine
        if after.engine is not None:
            pairs[f"policies.{place}.engine"] = (engine, after.engine, shapes.get(policy_role(place + 1)))
    reward_shape = shapes.get(REWARD_MODEL) or shapes.get(POLICY)
    pairs["reward_model.engine"] = (written.reward_model.engine, chosen.reward_model.engine, reward_shape)
    for section, (before_engine, engine, shape) in pairs.items():
        if fields := _auto_fields(before_engine, ENGINE_FIELDS):
            yield section, f"{section}: {_describe_engine(engine, shape, supply)} (auto: {', '.join(fields)})"


def _auto_fields(config: Any, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if is_auto(getattr(config, name))]


def _describe_cards(supply: Supply) -> str:
    """Return how many GPUs were shared out, how many of them are yet to come, and how large they were taken to be."""
    cards = card_count(supply)
    if not cards:
        return f"auto: no node has or can have a GPU, so models run on the CPUs of {count(len(usable_nodes(supply)), 'node')}"
    sizes = {node.gpu_memory_gib for node in gpu_nodes(supply)}
    known = {size for size in sizes if size is not None}
    size = number(card_gib(supply))
    if not known:
        memory = f"of unknown memory, taken for {number(ASSUMED_CARD_GIB)} GiB"
    elif len(known) > 1:
        memory = f"of {number(min(known))} to {number(max(known))} GiB, planned for {size} GiB where an engine may get any of them"
    else:
        memory = f"of {size} GiB" + (" as far as it is known" if None in sizes else "")
    coming = cards - sum(int(node.gpus) for node in supply.nodes)
    added = f", {coming} of them yet to be added" if coming > 0 else ""
    return f"auto: shares out {count(cards, 'GPU')} {memory}{added}"


def _describe_engine(engine: EngineConfig, shape: ModelShape | None, supply: Supply) -> str:
    """Return what an engine gets and takes: "6 engines of 1 GPU, 256 sequences at once: 15.2 GiB of weights …"."""
    engines = f"{engine.replicas} engine{'' if engine.replicas == 1 else 's'}"
    if not engine.gpus:
        return f"{engines} on CPUs, {engine.max_num_seqs} sequences at once"
    size = f"{number(engine.gpus)} of a GPU" if engine.gpus < 1 else count(engine.gpus, "GPU")
    alone = f" ({engine.replicas_alone} until another model is served)" if engine.replicas_alone else ""
    text = f"{engines} of {size}{alone}, {engine.max_num_seqs} sequences at once"
    if shape is None:
        return f"{text}; the size of the model is not known"
    context = engine.max_model_len if isinstance(engine.max_model_len, int) else shape.context or 0
    use = serving_memory(shape, engine, sequences=engine.max_num_seqs, context=context)
    of = f"{number(engine.memory_share * card_gib(supply, engine.gpus))} GiB"
    return f"{text}: {number(use.per_gpu_gib)} of {of} on each card ({use.describe()})"


def _describe_actors(written: RunConfig, chosen: RunConfig) -> Iterator[str]:
    if is_auto(written.executor.replicas):
        yield f"executor: {chosen.executor.replicas}, one a node (auto: replicas)"
    if fields := _auto_fields(written.workers, ("workers", "trees_in_flight")):
        workers = chosen.workers
        yield (
            f"workers: {workers.workers} with {workers.trees_in_flight} trees at once in each, to keep the engines busy "
            f"(auto: {', '.join(fields)})"
        )


def _describe_training(train: TrainConfig, use_gib: float, supply: Supply) -> str:
    """Return how a training is laid out: "8 workers with a GPU each, 8192 tokens a pass, ZeRO stage 2, activations kept …".

    ``use_gib``: memory of each card that it takes at most; 0: not known.
    """
    device = "on CPUs"
    if train.use_gpu is True:
        device = "with a GPU" if train.workers == 1 else "with a GPU each"
    workers = f"1 worker {device}" if train.workers == 1 else f"{train.workers} workers {device}"
    activations = "activations computed again" if train.gradient_checkpointing else "activations kept"
    offload = "" if train.offload == "none" else f", {train.offload.replace('_', ' ')} on the hosts"
    text = f"{workers}, {train.micro_batch_tokens} tokens a pass, ZeRO stage {train.zero_stage}, {activations}{offload}"
    if not use_gib or train.use_gpu is not True:
        return text
    return f"{text}: up to {number(use_gib)} of {number(card_gib(supply))} GiB on each card"
