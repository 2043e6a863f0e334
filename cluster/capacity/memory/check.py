"""Tell, before anything starts, which stages the memory does not hold, and the smallest change that would fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.config import EngineConfig
from cluster.capacity.bundles import POLICY, TRAINING, StageNeed, Supply
from cluster.capacity.groups import uses_gpus
from cluster.capacity.memory.precision import native_bf16, served_bytes, training_bytes
from cluster.capacity.memory.serving import cache_gib
from cluster.capacity.memory.shape import ModelShape
from cluster.capacity.memory.shortage import Shortage, counted_gib, find_shortage
from cluster.capacity.memory.suggestion import Step, assignments, engine_ladders, smallest_change, training_ladders
from cluster.capacity.wording import field_of, number, stage_title
from cluster.config.run_config import RunConfig
from train.config import LEAST_STAGE, TrainConfig

# Estimates err by a tenth or more (docs/memory.md): refused is what would not fit with a tenth less, warned of what would
# not with a tenth more.
LEAST, MOST = 0.9, 1.1
MOST_CHANGES = 6  # stages that one suggestion makes fit

ListStages = Callable[[RunConfig], Sequence[StageNeed]]


@dataclass(frozen=True, slots=True)
class MemoryFindings:
    """What an estimate says of a config: why it cannot fit, with a remedy, and what may not fit."""

    refusal: str | None = None
    warnings: tuple[str, ...] = ()


def memory_findings(
    config: RunConfig,
    list_stages: ListStages,
    supply: Supply,
    place: str,
    shapes: Mapping[str, ModelShape],
    free_gib: float = math.inf,
) -> MemoryFindings:
    """Return whether the stages of a config fit the memory, with the smallest change that would fit where they do not.

    Args:
        config: of the run, with numbers in place of "auto".
        list_stages: returns what the stages of a config need, with their memory.
        supply: what there is.
        place: what it is called in messages.
        shapes: of the models, by role.
        free_gib: memory of a single machine that is free now.
    """
    stages = list_stages(config)
    if small := next(small_caches(config, stages, shapes), None):
        return MemoryFindings(refusal=small)
    fault = find_shortage(stages, supply, MOST)
    if fault is None:
        return MemoryFindings(warnings=tuple(busy(stages, free_gib)))
    certain = find_shortage(stages, supply, LEAST, sure=True)
    changes = (remedy(config, list_stages, supply, shapes, share) for share in (MOST, 1.0))
    change = next((change for change in changes if change is not None), _other_remedy(config))
    if certain is not None:
        return MemoryFindings(refusal=f"{certain.describe(place)}: {change or _other_remedy(config)}")
    hint = change or "end other programs meanwhile"
    return MemoryFindings(warnings=(f"memory may not suffice: {fault.describe(place)}: {hint}",))


def busy(stages: Sequence[StageNeed], free_gib: float) -> Iterator[str]:
    """Yield a warning if a stage needs more memory of a machine than is free now."""
    needed = {stage.stage: sum(group.replicas * counted_gib(group) for group in stage.groups) for stage in stages}
    largest = max(needed, key=needed.__getitem__, default=None)
    if largest is not None and needed[largest] > free_gib:
        yield (
            f"memory may not suffice: {stage_title(largest)} needs {number(needed[largest])} GiB at once, and "
            f"{number(free_gib)} are free now: end other programs"
        )


def remedy(
    config: RunConfig, list_stages: ListStages, supply: Supply, shapes: Mapping[str, ModelShape], share: float
) -> str | None:
    """Return "set FIELD=VALUE and …": the smallest changes after which a share of every stage's estimate fits.

    Empty where it fits already, None where no change of settings does it.
    """
    fields: dict[str, Any] = {}
    for _ in range(MOST_CHANGES):
        changed = with_fields(config, fields)
        fault = find_shortage(list_stages(changed), supply, share)
        if fault is None:
            return f"set {assignments(fields)}" if fields else ""
        change = _change_for(fault, changed, list_stages, supply, shapes, share)
        if change is None:
            break
        fields |= change
    return None


def _other_remedy(config: RunConfig) -> str:
    more = "GPUs with more memory, more of them" if uses_gpus(config) else "a machine with more memory"
    return f"no setting makes it fit: take a smaller model, or {more}"


def small_caches(config: RunConfig, stages: Iterable[StageNeed], shapes: Mapping[str, ModelShape]) -> Iterator[str]:
    """Yield engines on CPUs whose KV cache does not hold one sequence, which vLLM would refuse, each with a remedy."""
    by_section = {
        field_of(group, stage.stage): group
        for stage in stages
        for group in stage.groups
        if group.is_engine and not group.bundle.gpus
    }
    for section, group in by_section.items():
        engine, shape = value_at(config, section), shapes.get(group.role) or shapes.get(POLICY)
        if shape is None or not isinstance(engine, EngineConfig) or not isinstance(engine.max_model_len, int):
            continue
        needed = cache_gib(shape, engine, context=engine.max_model_len)
        if needed > engine.kv_cache_gib:
            yield (
                f"{section}.kv_cache_gib: {engine.kv_cache_gib:g} GiB do not hold the {needed:.2f} GiB of one sequence of "
                f"{engine.max_model_len} tokens: set {section}.kv_cache_gib={math.ceil(needed * 10) / 10:g} or more"
            )


def _change_for(
    fault: Shortage,
    config: RunConfig,
    list_stages: ListStages,
    supply: Supply,
    shapes: Mapping[str, ModelShape],
    share: float,
) -> Mapping[str, Any] | None:
    """Return the smallest change after which the stage of a shortage fits, and those that it is split into."""

    def fits(fields: Mapping[str, Any]) -> bool:
        changed = with_fields(config, fields)
        if not _is_possible(changed):
            return False
        prefix = fault.stage.stage
        stages = [stage for stage in list_stages(changed) if stage.stage.startswith(prefix)]
        return find_shortage(stages, supply, share) is None and not any(small_caches(changed, stages, shapes))

    most_gpus = int(max((node.gpus for node in supply.all_nodes), default=0))
    change = smallest_change(list(_ladders(fault, config, shapes, most_gpus)), fits)
    return change.fields if change is not None else None


def _ladders(
    fault: Shortage, config: RunConfig, shapes: Mapping[str, ModelShape], most_gpus: int
) -> Iterator[list[Step]]:
    """Yield the changes of the config that save memory in a stage, by field."""
    trains = any(group.role == TRAINING for group in fault.stage.groups)
    if trains and config.placement.keep_engines and any(group.is_engine for group in fault.stage.groups):
        yield [(5.0, "placement.keep_engines", False)]
    if sum(group.role == TRAINING for group in fault.stage.groups) > 1 and config.placement.train_together:
        yield [(4.0, "placement.train_together", False)]
    groups = [fault.group] if fault.group is not None else list(fault.stage.groups)
    by_section = {section: group for group in groups for section in _sections(field_of(group, fault.stage.stage))}
    for section, group in by_section.items():
        settings, on_gpus = value_at(config, section), group.bundle.gpus > 0
        if isinstance(settings, TrainConfig):
            is_half = training_bytes(settings.precision, on_gpus) == 2 or not native_bf16(on_gpus)
            yield from training_ladders(section, settings, on_gpus=on_gpus, is_half=is_half)
        elif isinstance(settings, EngineConfig):
            shape = shapes.get(group.role) or shapes.get(POLICY)
            is_half = shape is None or served_bytes(shape, settings, on_gpus) <= 2 or not native_bf16(on_gpus)
            yield from engine_ladders(section, settings, most_gpus=most_gpus, is_half=is_half)


def _sections(section: str) -> tuple[str, ...]:
    """Return the config sections by which the trainings of a stage work: both of those that are trained side by side."""
    return ("train.policy", "train.reward_model") if section == "train" else (section,)


def value_at(config: RunConfig, path: str) -> Any:
    """Return what a config holds at a path such as "train.policy", "policies.0.engine"; None where there is nothing."""
    value: Any = config
    for name in path.split("."):
        value = value[int(name)] if name.isdecimal() else getattr(value, name, None)
    return value


def with_fields(config: RunConfig, fields: Mapping[str, Any]) -> RunConfig:
    """Return a config with other values of some fields, by their paths. They are not validated."""
    for path, value in fields.items():
        config = _with_field(config, path.split("."), value)
    return config


def _with_field(section: Any, path: Sequence[str], value: Any) -> Any:
    name, *rest = path
    if isinstance(section, tuple):
        place = int(name)
        return (*section[:place], _with_field(section[place], rest, value), *section[place + 1 :])
    return section.model_copy(update={name: _with_field(getattr(section, name), rest, value) if rest else value})


def _is_possible(config: RunConfig) -> bool:
    """Return whether the ZeRO stages of a config's trainings can offload what they are to."""
    trainings = (config.train.policy, config.train.reward_model, config.policy.recipe.train)
    return all(train.zero_stage >= LEAST_STAGE[train.offload] for train in trainings)
