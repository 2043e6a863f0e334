"""Choose the numbers that a config leaves open, for its models and what there is to run on: ``choose``.

    stages of the command ──> which models are served together ──> choices/engines.py
                                                                     │ GPUs and CPUs of engines that stay
    trainings of the rounds ──────────────────────────────────────> choices/trainings.py
    nodes, engines ──> executors, search workers, trees in flight    choices/actor_numbers.py

A value that the config says itself is never changed. Where there is a GPU, or can be one, auto never means a CPU. On one
machine without a GPU every number is the default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from actors.config import EngineConfig
from cluster.capacity.bundles import POLICY, REWARD_MODEL, TRAINING, Bundle, GroupNeed, Supply
from cluster.capacity.choices.actor_numbers import Actors, actor_counts, with_actors, with_trees
from cluster.capacity.choices.cards import card_count, with_labels
from cluster.capacity.choices.engine_roles import engine_sections
from cluster.capacity.choices.engines import Engines, choose_engines
from cluster.capacity.choices.explain import explain_choices
from cluster.capacity.choices.trainings import Beside, Training, choose_training
from cluster.capacity.groups import executor_group, worker_group
from cluster.capacity.memory.estimate import shape_of_recipe
from cluster.capacity.needs import Shapes, Work, needs
from cluster.capacity.packing import unplaced
from cluster.config.run_config import RunConfig
from search.config import is_auto
from search.protocols import policy_role
from train.config import TrainConfig


@dataclass(frozen=True, slots=True)
class Choices:
    """A config with numbers in place of every auto, and a line on each part of it that was chosen, with the reason."""

    config: RunConfig
    reasons: tuple[str, ...]


def choose(config: RunConfig, supply: Supply, shapes: Shapes, work: Work | None = None) -> Choices:
    """Return the config with every auto chosen for the models and the supply.

    Args:
        config: of the run, with a number for each ``max_model_len``.
        supply: what there is, and what can be added.
        shapes: of the models, by role; a model of unknown size gets one GPU.
        work: what the command does; default: all rounds of ``raystar evolve``.
    """
    work = work or Work(command="evolve")
    attempts = [_choose_all(config, supply, shapes, work, actors) for actors in actor_counts(config, supply)]
    chosen = next((attempt for attempt in attempts if _has_room(attempt, supply, shapes, work)), attempts[0])
    return Choices(chosen, tuple(explain_choices(config, chosen, supply, needs(chosen, work, shapes), shapes)))


def _choose_all(config: RunConfig, supply: Supply, shapes: Shapes, work: Work, actors: Actors) -> RunConfig:
    """Return the config with every auto chosen, beside so many executors and search workers."""
    config = with_actors(config, actors)
    chosen, unused = _engines(config, supply, shapes, work)
    served = _with_engines(config, chosen | unused)
    policies = [engine for section, engine in chosen.items() if section != "reward_model.engine"]
    workers = with_trees(served, policies)
    return _with_trainings(served.model_copy(update={"workers": workers}), supply, shapes, work)


def _has_room(config: RunConfig, supply: Supply, shapes: Shapes, work: Work) -> bool:
    return all(unplaced(stage, supply) is None for stage in needs(config, work, shapes))


def _engines(config: RunConfig, supply: Supply, shapes: Shapes, work: Work) -> tuple[Engines, Engines]:
    """Return the engines that stages start, and those that none starts, by config section."""
    further = {
        policy_role(place + 1): (f"policies.{place}.engine", policy.engine or config.policy.engine)
        for place, policy in enumerate(config.policies)
    }
    engines = {"policy.engine": config.policy.engine, "reward_model.engine": config.reward_model.engine}
    chosen: Engines = {}
    for roles in _served_together(config, shapes, work):
        served = engine_sections(config.policy.engine, config.reward_model.engine, further, shapes, roles)
        nodes = with_labels(supply, config.placement.engine_labels)
        for section, engine in choose_engines(served, nodes, _beside_engines(config, supply)).items():
            before = chosen.get(section)
            if before is None or engine.gpus * engine.replicas < before.gpus * before.replicas:
                chosen[section] = engine
    sections = engines | dict(further.values())
    unused = {name: _not_served(engine, supply) for name, engine in sections.items() if name not in chosen}
    if "policy.engine" in chosen and is_auto(config.policy.engine.replicas_alone):
        chosen["policy.engine"] = _with_engines_alone(config, chosen["policy.engine"], supply, shapes)
    return chosen, unused


def _with_engines_alone(config: RunConfig, engine: EngineConfig, supply: Supply, shapes: Shapes) -> EngineConfig:
    """Return the policy's engines with the number that there are while no other model is served."""
    replicas = 0
    if is_auto(config.policy.engine.replicas) and engine.gpus >= 1:
        open_engine = engine.model_copy(update={"replicas": config.policy.engine.replicas})
        served = engine_sections(open_engine, config.reward_model.engine, {}, shapes, (POLICY,))
        nodes = with_labels(supply, config.placement.engine_labels)
        replicas = choose_engines(served, nodes, _beside_engines(config, supply))["policy.engine"].replicas
    return engine.model_copy(update={"replicas_alone": replicas if replicas > engine.replicas else 0})


def _served_together(config: RunConfig, shapes: Shapes, work: Work) -> list[tuple[str, ...]]:
    """Return the roles of the models that stages serve at the same time, without those that are part of others."""
    sets = {frozenset(group.role for group in stage.groups if group.is_engine) for stage in needs(config, work, shapes)}
    largest = [roles for roles in sets if roles and not any(roles < other for other in sets)]
    return sorted(tuple(sorted(roles)) for roles in largest)


def _beside_engines(config: RunConfig, supply: Supply) -> list[GroupNeed]:
    """Return what engines leave room for: executors, search workers, and half of the GPUs if trainings run beside them."""
    groups = [executor_group(config.executor), worker_group(config)]
    if config.placement.keep_engines and (cards := card_count(supply)):
        groups.append(GroupNeed(TRAINING, max(1, cards // 2), Bundle(cpus=1, gpus=1)))
    return groups


def _not_served(engine: EngineConfig, supply: Supply) -> EngineConfig:
    """Return the engines of a section that no stage starts: the numbers of one machine, on a GPU where there is one."""
    gpus = (1.0 if card_count(supply) else 0.0) if is_auto(engine.gpus) else engine.gpus
    sized = engine.model_copy(update={"gpus": gpus})
    numbers = {name: int(getattr(sized, name)) for name in ("replicas", "replicas_alone", "max_num_seqs")}
    return sized.model_copy(update={**numbers, "gpu_memory_utilization": float(sized.memory_share)})


def _with_engines(config: RunConfig, engines: Mapping[str, EngineConfig]) -> RunConfig:
    policies = tuple(
        policy.model_copy(update={"engine": engines[f"policies.{place}.engine"]})
        for place, policy in enumerate(config.policies)
    )
    return config.model_copy(
        update={
            "policy": config.policy.model_copy(update={"engine": engines["policy.engine"]}),
            "reward_model": config.reward_model.model_copy(update={"engine": engines["reward_model.engine"]}),
            "policies": policies,
        }
    )


def _with_trainings(config: RunConfig, supply: Supply, shapes: Shapes, work: Work) -> RunConfig:
    """Return the config with trainings laid out, that of the built-in base policy too."""
    shape, beside = shapes.get(TRAINING) or shapes.get(POLICY), _beside_trainings(config, shapes, work)
    chosen: dict[str, TrainConfig] = {}
    for role in (POLICY, REWARD_MODEL):
        training = Training(
            section=f"train.{role}",
            train=getattr(config.train, role),
            rounds=tuple(_trainings(config, role, work)),
            shape=shape,
        )
        chosen[role] = choose_training(training, supply, beside)
    recipe = config.policy.recipe
    base = Training(
        section="policy.recipe.train",
        train=recipe.train,
        rounds=((recipe.train, "sft"),),
        shape=shape_of_recipe(recipe.size),
    )
    recipe = recipe.model_copy(update={"train": choose_training(base, supply, Beside())})
    policy = config.policy.model_copy(update={"recipe": recipe})
    return config.model_copy(update={"policy": policy, "train": config.train.model_copy(update=chosen)})


def _trainings(config: RunConfig, role: str, work: Work) -> Iterator[tuple[TrainConfig, str]]:
    """Yield settings and objective of each training of a role; those of the run where no round has one."""
    listed = 0
    for entry in config.rounds if work.command == "evolve" else ():
        learnt = getattr(config.method_of(entry), role)
        if learnt is not None:
            listed += 1
            yield getattr(config.round_training(entry), role), learnt.objective
    if not listed:
        learnt = getattr(config.method, role)
        yield getattr(config.train, role), learnt.objective if learnt is not None else "sft"


def _beside_trainings(config: RunConfig, shapes: Shapes, work: Work) -> Beside:
    """Return what runs while models are trained, by the stages of the command."""
    groups = [
        stage.groups for stage in needs(config, work, shapes) if any(group.role == TRAINING for group in stage.groups)
    ]
    others = [[group for group in of_stage if group.role != TRAINING] for of_stage in groups]
    return Beside(
        gpus=max((sum(g.replicas * g.bundle.gpus for g in of_stage) for of_stage in others), default=0),
        cpus=max((sum(g.replicas * g.bundle.cpus for g in of_stage) for of_stage in others), default=0),
        trainings=max((sum(g.role == TRAINING for g in of_stage) for of_stage in groups), default=1),
    )
