"""Start, keep and stop the engines of a run, one group of replicas a role."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.exceptions import GetTimeoutError, RayActorError, RayError

from actors.actor_names import actor_name
from actors.config import EngineConfig
from actors.engines.base import Engine, EngineStats, engine_environment
from actors.engines.judge import JudgeEngine
from actors.engines.likelihood import LikelihoodEngine
from actors.engines.next_token import NextTokenEngine
from actors.engines.policy import PolicyEngine
from actors.engines.reward_model import RewardEngine, RewardModelEngine
from actors.engines.start_errors import cause_of, describe_late_actor
from actors.engines.weight_reload import same_architecture
from actors.errors import EngineStartFailed, StartTimeout
from actors.placement.demand import Demand, make_demand
from actors.placement.placer import Placer, Reservation
from search.data import ModelRef
from search.formats.plain_format import PlainFormat
from search.reward_models import Reading, RewardAdapter, reward_adapter

POLICY, REWARD_MODEL = "policy", "reward_model"
ENGINE_CLASSES: Mapping[str, type[Engine]] = {"policy": PolicyEngine, "second_policy": PolicyEngine}  # by role
REWARD_ENGINE_CLASSES: Mapping[Reading, type[RewardEngine]] = {
    Reading.CLASSIFY: RewardModelEngine,
    Reading.TOKEN_CLASSIFY: RewardModelEngine,
    Reading.NEXT_TOKEN: NextTokenEngine,
    Reading.LIKELIHOOD: LikelihoodEngine,
    Reading.JUDGEMENT: JudgeEngine,
}
MAX_CONCURRENCY = 4096  # Ray's own bound for one engine; the pools stay far below it
CONTROL_CONCURRENCY = 8  # health, stats and stop have a concurrency group of their own, never queued behind requests
STOP_S = 10.0  # an engine has this long to stop by itself


@dataclass(frozen=True, slots=True)
class EngineGroup:
    """The replicas of one model. Any of them can serve any request.

    ``adapter``: how a reward model is read. ``reservation``: the room that they have on a cluster.
    """

    model: ModelRef
    names: tuple[str, ...]
    handles: tuple[ActorHandle, ...]
    adapter: RewardAdapter | None = None
    reservation: Reservation | None = None


def read_adapter(model: ModelRef) -> RewardAdapter:
    """Return how a reward model is read. Engines render nothing, so any step format will do."""
    return reward_adapter(model, PlainFormat())


def engine_demands(role: str, config: EngineConfig) -> tuple[Demand, ...]:
    """Return what each engine of a role takes of one node. All GPUs of an engine are on the same one."""
    return tuple(make_demand(f"{role}-{index}", config.num_cpus, config.num_gpus) for index in range(config.replicas))


def actor_options(model: ModelRef, config: EngineConfig, cores: int | None = None) -> dict[str, Any]:
    """Return Ray's options for one engine actor: resources, restarts, environment. ``cores``: as of its environment."""
    return {
        "num_cpus": config.num_cpus,
        "num_gpus": config.num_gpus,
        "max_restarts": -1,
        "max_task_retries": 0,
        "max_concurrency": MAX_CONCURRENCY,
        "runtime_env": {"env_vars": engine_environment(model, config, cores)},
    }


class EngineManager:
    """The engines of one driver, by role. Use it as a context manager, or call ``stop``.

    ``further`` are the settings of policies beside the first, by role; the second policy's are the first's unless it is
    there. ``adapter_of`` says how a reward model is read. ``engine_classes`` gives the class of engine for each role; that
    of a reward model follows from its reading unless it is there, and other policies have the first one's. ``placer``
    reserves room for them on a cluster; without it they are on this machine.
    """

    def __init__(
        self,
        policy: EngineConfig,
        reward_model: EngineConfig,
        engine_classes: Mapping[str, type[Engine]] = ENGINE_CLASSES,
        adapter_of: Callable[[ModelRef], RewardAdapter] = read_adapter,
        further: Mapping[str, EngineConfig] | None = None,
        placer: Placer | None = None,
    ) -> None:
        self._engine_classes, self._adapter_of, self._placer = engine_classes, adapter_of, placer
        self._policy = policy
        self._configs: dict[str, EngineConfig] = {
            POLICY: policy.alone(),
            "second_policy": policy,
            REWARD_MODEL: reward_model,
            **(further or {}),
        }
        self._groups: dict[str, EngineGroup] = {}

    def __enter__(self) -> EngineManager:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def handles(self, model: ModelRef) -> list[ActorHandle]:
        """Return ready engines for ``model``, started if necessary. Raises as ``start``."""
        self.start(model)
        return list(self._groups[model.role].handles)

    def missing(self, *models: ModelRef) -> tuple[ModelRef, ...]:
        """Return those of ``models`` that ``start`` would start engines for, or load into running ones."""
        return tuple(model for model in models if not self._is_running(model))

    def counts(self, *models: ModelRef) -> dict[str, int]:
        """Return how many engines ``start`` would have of each of ``models``, by role."""
        configs = self._configs if _is_alone(models) else {**self._configs, POLICY: self._policy}
        return {model.role: configs[model.role].replicas for model in models}

    def start(self, *models: ModelRef) -> None:
        """Start engines for all ``models``, at most one model a role, side by side.

        Engines that already serve the model stay. Those of the same role load the weights of a model of the same
        architecture, and are replaced otherwise. Deadlines begin once there is room for all of them. Raises NoRoom,
        StartTimeout and EngineStartFailed.
        """
        if not _is_alone(models):
            self._leave_room()
        new = [model for model in models if not (self._is_running(model) or self._reload(model))]
        for model in new:
            self._stop_groups([model.role])
        new += self._stop_those_in_the_way(new)
        reservations = self._reserve(new)
        for model in new:
            self._groups[model.role] = self._launch(model, reservations.get(model.role))
        try:
            _await_ready([(self._groups[model.role], self._configs[model.role]) for model in new])
        except BaseException:
            self._stop_groups([model.role for model in new])
            raise

    def stop(self, *roles: str) -> None:
        """Stop the engines of ``roles``; of all roles if none is named."""
        self._stop_groups(roles or tuple(self._groups))

    def stats(self) -> list[EngineStats]:
        """Return the stats of all engines, without those that do not respond within STOP_S."""
        pending = [handle.stats.remote() for group in self._groups.values() for handle in group.handles]
        ready, _ = ray.wait(pending, num_returns=len(pending), timeout=STOP_S) if pending else ([], [])
        stats = []
        for reply in ready:
            try:
                stats.append(ray.get(reply))
            except RayActorError:
                continue
        return stats

    def _leave_room(self) -> None:
        """Have ``replicas`` engines of the policy from now on, since another model is to be served beside it."""
        if self._configs[POLICY] is not self._policy:
            self._configs[POLICY] = self._policy
            self._stop_groups([POLICY])

    def _is_running(self, model: ModelRef) -> bool:
        group = self._groups.get(model.role)
        return group is not None and group.model == model

    def _reload(self, model: ModelRef) -> bool:
        """Load the weights of ``model`` into the running engines of its role; return whether all of them did."""
        group, config = self._groups.get(model.role), self._configs[model.role]
        if group is None or not config.can_reload or not same_architecture(group.model, model):
            return False
        if group.adapter != self._adapter(model):
            return False  # the engines were started to be read in another way
        try:
            ray.get([handle.load.remote(model) for handle in group.handles], timeout=config.start_deadline_s)
        except (GetTimeoutError, RayError):
            return False  # they are replaced: a start has the better error message
        self._groups[model.role] = replace(group, model=model)
        return True

    def _stop_those_in_the_way(self, new: Sequence[ModelRef]) -> list[ModelRef]:
        """Stop all engines where the new ones fit only beside engines that start anew; return the stopped ones' models.

        Small engines may be on every node when a large one comes that needs all GPUs of one.
        """
        if self._placer is None or not new or not self._groups:
            return []
        demands = [demand for model in new for demand in engine_demands(model.role, self._configs[model.role])]
        running = [demand for role in self._groups for demand in engine_demands(role, self._configs[role])]
        if not self._placer.must_move(demands, running):
            return []
        models = [group.model for group in self._groups.values()]
        self._stop_groups([model.role for model in models])
        return models

    def _reserve(self, new: Sequence[ModelRef]) -> dict[str, Reservation]:
        """Return the room of new engines by role; nothing on this machine."""
        if self._placer is None or not new:
            return {}
        return self._placer.reserve(
            {model.role: engine_demands(model.role, self._configs[model.role]) for model in new}
        )

    def _launch(self, model: ModelRef, reservation: Reservation | None) -> EngineGroup:
        config, adapter = self._configs[model.role], self._adapter(model)
        default = self._engine_classes["policy"] if adapter is None else REWARD_ENGINE_CLASSES[adapter.reading]
        engine_class = self._engine_classes.get(model.role, default)
        actor = ray.remote(concurrency_groups={"control": CONTROL_CONCURRENCY})(engine_class)
        names = tuple(f"{model.role}-{index}" for index in range(config.replicas))
        more = () if adapter is None else (adapter,)
        options = [actor_options(model, config)] * config.replicas
        if reservation is not None:
            options = [
                actor_options(model, config, cores) | reservation.options(index)
                for index, cores in enumerate(reservation.cores)
            ]
        handles = tuple(
            actor.options(**each, name=actor_name(name)).remote(model, config, name, *more)
            for name, each in zip(names, options, strict=True)
        )
        return EngineGroup(model, names, handles, adapter, reservation)

    def _adapter(self, model: ModelRef) -> RewardAdapter | None:
        return self._adapter_of(model) if model.role == REWARD_MODEL else None

    def _stop_groups(self, roles: Iterable[str]) -> None:
        groups = [group for role in roles if (group := self._groups.pop(role, None)) is not None]
        handles = [handle for group in groups for handle in group.handles]
        if not handles or not ray.is_initialized():
            return
        ray.wait([handle.stop.remote() for handle in handles], num_returns=len(handles), timeout=STOP_S)
        for handle in handles:
            ray.kill(handle)
        for group in groups:
            if group.reservation is not None:
                group.reservation.remove()


def _await_ready(groups: Sequence[tuple[EngineGroup, EngineConfig]]) -> None:
    """Return when all engines of all groups are healthy. Raises EngineStartFailed at the first that is not, or StartTimeout."""
    begin = time.monotonic()
    waiting = {
        handle.health.remote(): (name, handle, group, start_deadline_s(config))
        for group, config in groups
        for name, handle in zip(group.names, group.handles, strict=True)
    }
    while waiting:
        deadline_s = min(deadline for *_, deadline in waiting.values())
        done, _ = ray.wait(list(waiting), num_returns=1, timeout=max(0.0, begin + deadline_s - time.monotonic()))
        if not done:
            late = [
                (name, handle, group) for name, handle, group, deadline in waiting.values() if deadline == deadline_s
            ]
            raise _start_timeout(late, deadline_s)
        for check in done:
            name, _, group, _ = waiting.pop(check)
            try:
                ray.get(check)
            except RayError as error:
                raise EngineStartFailed(f"{name} could not start on {group.model.path}: {cause_of(error)}") from error


def _is_alone(models: Sequence[ModelRef]) -> bool:
    return all(model.role == POLICY for model in models)


def start_deadline_s(config: EngineConfig) -> float:
    """Return how long engines may take to start (s): those that share a card start one after the other."""
    return config.start_deadline_s * config.engines_per_card


def _start_timeout(late: Sequence[tuple[str, ActorHandle, EngineGroup]], deadline_s: float) -> StartTimeout:
    name, handle, group = late[0]
    remedy = (
        "raise start_deadline_s"
        if group.reservation
        else "free the CPUs or GPUs it waits for, or raise start_deadline_s"
    )
    state = describe_late_actor(handle._actor_id.hex())
    names = ", ".join(name for name, _, group in late)
    return StartTimeout(
        f"{names} did not start within {deadline_s:g} s (model {group.model.path}): {remedy}"
        + (f"; {name} is {state}" if state else "")
    )
