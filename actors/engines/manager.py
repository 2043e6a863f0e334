"""Start, keep and stop the engines of a run, one group of replicas a role."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.exceptions import GetTimeoutError, RayActorError, RayError

from actors.config import EngineConfig
from actors.engines.base import Engine, EngineStats, engine_environment
from actors.engines.judge import JudgeEngine
from actors.engines.likelihood import LikelihoodEngine
from actors.engines.next_token import NextTokenEngine
from actors.engines.policy import PolicyEngine
from actors.engines.reward_model import RewardEngine, RewardModelEngine
from actors.engines.weight_reload import same_architecture
from actors.errors import StartTimeout
from search.data import ModelRef
from search.formats.plain_format import PlainFormat
from search.reward_models import Reading, RewardAdapter, reward_adapter

REWARD_MODEL = "reward_model"
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
    """The replicas of one model. Any of them can serve any request. ``adapter``: how a reward model is read."""

    model: ModelRef
    names: tuple[str, ...]
    handles: tuple[ActorHandle, ...]
    adapter: RewardAdapter | None = None


def read_adapter(model: ModelRef) -> RewardAdapter:
    """Return how a reward model is read. Engines render nothing, so any step format will do."""
    return reward_adapter(model, PlainFormat())


def actor_options(model: ModelRef, config: EngineConfig) -> dict[str, Any]:
    """Return Ray's options for one engine actor: resources, restarts, environment."""
    return {
        "num_cpus": config.num_cpus,
        "num_gpus": config.num_gpus * config.tensor_parallel,
        "max_restarts": -1,
        "max_task_retries": 0,
        "max_concurrency": MAX_CONCURRENCY,
        "runtime_env": {"env_vars": engine_environment(model, config, os.cpu_count())},
    }


class EngineManager:
    """The engines of one driver, by role. Use it as a context manager, or call ``stop``.

    ``further`` are the settings of policies beside the first, by role; the second policy's are the first's unless it is
    there. ``adapter_of`` says how a reward model is read. ``engine_classes`` gives the class of engine for each role; that
    of a reward model follows from its reading unless it is there, and other policies have the first one's.
    """

    def __init__(
        self,
        policy: EngineConfig,
        reward_model: EngineConfig,
        engine_classes: Mapping[str, type[Engine]] = ENGINE_CLASSES,
        adapter_of: Callable[[ModelRef], RewardAdapter] = read_adapter,
        further: Mapping[str, EngineConfig] | None = None,
    ) -> None:
        self._engine_classes, self._adapter_of = engine_classes, adapter_of
        self._configs: Mapping[str, EngineConfig] = {
            "policy": policy,
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
        """Return ready engines for ``model``, started if necessary. Raises StartTimeout."""
        self.start(model)
        return list(self._groups[model.role].handles)

    def missing(self, *models: ModelRef) -> tuple[ModelRef, ...]:
        """Return those of ``models`` that ``start`` would start engines for, or load into running ones."""
        return tuple(model for model in models if not self._is_running(model))

    def start(self, *models: ModelRef) -> None:
        """Start engines for all ``models``, at most one model a role, side by side. Raises StartTimeout.

        Engines that already serve the model stay. Those of the same role load the weights of a model of the same
        architecture, and are replaced otherwise.
        """
        new = [model for model in models if not (self._is_running(model) or self._reload(model))]
        for model in new:
            self._stop_groups([model.role])
        for model in new:
            self._groups[model.role] = self._launch(model)
        try:
            for model in new:
                _await_ready(self._groups[model.role], self._configs[model.role].start_deadline_s)
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

    def _launch(self, model: ModelRef) -> EngineGroup:
        config, adapter = self._configs[model.role], self._adapter(model)
        default = self._engine_classes["policy"] if adapter is None else REWARD_ENGINE_CLASSES[adapter.reading]
        engine_class = self._engine_classes.get(model.role, default)
        actor = ray.remote(concurrency_groups={"control": CONTROL_CONCURRENCY})(engine_class)
        names = tuple(f"{model.role}-{index}" for index in range(config.replicas))
        more = () if adapter is None else (adapter,)
        handles = tuple(
            actor.options(**actor_options(model, config)).remote(model, config, name, *more) for name in names
        )
        return EngineGroup(model, names, handles, adapter)

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


def _await_ready(group: EngineGroup, deadline_s: float) -> None:
    """Return when all engines are healthy; raise StartTimeout with the names of those that are late."""
    checks = {handle.health.remote(): name for name, handle in zip(group.names, group.handles, strict=True)}
    end = time.monotonic() + deadline_s
    for check, name in checks.items():
        try:
            ray.get(check, timeout=max(0.0, end - time.monotonic()))
        except GetTimeoutError:
            pending = ray.wait(list(checks), num_returns=len(checks), timeout=0)[1]
            late = ", ".join(checks[item] for item in pending)
            raise StartTimeout(
                f"{late} did not start within {deadline_s:g} s (model {group.model.path}): "
                "free the CPUs or GPUs it waits for, or raise start_deadline_s"
            ) from None
        except RayError as error:
            raise RuntimeError(f"{name} could not start on {group.model.path}: {_cause(error)}") from error


def _cause(error: RayError) -> str:
    """Return the last line of a remote traceback: the exception itself."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
