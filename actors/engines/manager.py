"""The fleet: which engines run now, for which models. Starts them side by side, keeps them, stops the others.

Knows Ray actors and their resources. Knows neither requests (the pools) nor rounds (the cluster package).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.exceptions import GetTimeoutError, RayActorError, RayError

from actors.config import EngineConfig
from actors.engines.base import Engine, EngineStats, environment
from actors.engines.likelihood import LikelihoodEngine, likelihood
from actors.engines.policy import PolicyEngine
from actors.engines.reward_model import RewardModelEngine
from actors.engines.weight_reload import same_architecture
from actors.errors import StartTimeout
from search.data import ModelRef

KINDS: Mapping[str, type[Engine]] = {
    "policy": PolicyEngine,
    "second": PolicyEngine,
    "reward_model": RewardModelEngine,
}  # by role
CALLS_AT_ONCE = 4096  # Ray's own bound for one engine; the pools stay far below it
CONTROL_CALLS = 8  # health, stats and stop have a lane of their own, never behind a queue of requests
STOP_S = 10.0  # an engine gets this long to end by itself


@dataclass(frozen=True, slots=True)
class EngineGroup:
    """The engines of one model, all alike: any of them answers any request."""

    model: ModelRef
    names: tuple[str, ...]
    handles: tuple[ActorHandle, ...]


def options(model: ModelRef, config: EngineConfig) -> dict[str, Any]:
    """Ray's options for one engine actor: resources, restarts, environment."""
    return {
        "num_cpus": config.num_cpus,
        "num_gpus": config.num_gpus * config.tensor_parallel,
        "max_restarts": -1,
        "max_task_retries": 0,
        "max_concurrency": CALLS_AT_ONCE,
        "runtime_env": {"env_vars": environment(model, config, os.cpu_count())},
    }


class EngineManager:
    """Engines by model. One driver owns a fleet; use it as a context manager, or call ``stop``. ``kinds``: what serves a
    role."""

    def __init__(
        self, policy: EngineConfig, reward_model: EngineConfig, kinds: Mapping[str, type[Engine]] = KINDS
    ) -> None:
        self._kinds = kinds
        self._configs: Mapping[str, EngineConfig] = {"policy": policy, "second": policy, "reward_model": reward_model}
        self._crews: dict[str, EngineGroup] = {}

    def __enter__(self) -> EngineManager:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def policy(self, model: ModelRef) -> list[ActorHandle]:
        """Ready policy engines for ``model``: those that run, or new ones. Raises StartTimeout."""
        self.start(model)
        return list(self._crews[model.role].handles)

    def reward_model(self, model: ModelRef) -> list[ActorHandle]:
        """Ready reward models for ``model``."""
        return self.policy(model)

    def start(self, *models: ModelRef) -> None:
        """Have engines for all ``models``, at most one model a role, started side by side. Raises StartTimeout.

        Engines that already run for the same model stay; those of the same role take in the weights of a model that is
        alike, and are replaced otherwise.
        """
        new = [model for model in models if not (self._runs(model) or self._reload(model))]
        for model in new:
            self._stop_crews([model.role])
        for model in new:
            self._crews[model.role] = self._launch(model)
        try:
            for model in new:
                _await_ready(self._crews[model.role], self._configs[model.role].start_deadline_s)
        except BaseException:
            self._stop_crews([model.role for model in new])
            raise

    def stop(self, *roles: str) -> None:
        """Stop the engines of these roles; of all roles if none is named."""
        self._stop_crews(roles or tuple(self._crews))

    def stats(self) -> list[EngineStats]:
        """What the running engines did; engines that do not answer within seconds are left out."""
        asked = [handle.stats.remote() for crew in self._crews.values() for handle in crew.handles]
        done, _ = ray.wait(asked, num_returns=len(asked), timeout=STOP_S) if asked else ([], [])
        found = []
        for answer in done:
            try:
                found.append(ray.get(answer))
            except RayActorError:
                continue
        return found

    def _runs(self, model: ModelRef) -> bool:
        crew = self._crews.get(model.role)
        return crew is not None and crew.model == model

    def _reload(self, model: ModelRef) -> bool:
        """Whether all running engines of the model's role have taken in its weights."""
        crew, config = self._crews.get(model.role), self._configs[model.role]
        if crew is None or not config.reload or not same_architecture(crew.model, model):
            return False
        try:
            ray.get([handle.load.remote(model) for handle in crew.handles], timeout=config.start_deadline_s)
        except (GetTimeoutError, RayError):
            return False  # they are replaced: a start has the better error message
        self._crews[model.role] = replace(crew, model=model)
        return True

    def _launch(self, model: ModelRef) -> EngineGroup:
        config = self._configs[model.role]
        kind = LikelihoodEngine if model.role == "reward_model" and likelihood(model) else self._kinds[model.role]
        actor = ray.remote(concurrency_groups={"control": CONTROL_CALLS})(kind)
        names = tuple(f"{model.role}-{index}" for index in range(config.replicas))
        handles = tuple(actor.options(**options(model, config)).remote(model, config, name) for name in names)
        return EngineGroup(model, names, handles)

    def _stop_crews(self, roles: Iterable[str]) -> None:
        crews = [crew for role in roles if (crew := self._crews.pop(role, None)) is not None]
        handles = [handle for crew in crews for handle in crew.handles]
        if not handles or not ray.is_initialized():
            return
        ray.wait([handle.stop.remote() for handle in handles], num_returns=len(handles), timeout=STOP_S)
        for handle in handles:
            ray.kill(handle)


def _await_ready(crew: EngineGroup, deadline_s: float) -> None:
    """Return when all engines answer; name those that do not by the deadline."""
    asked = {handle.health.remote(): name for name, handle in zip(crew.names, crew.handles, strict=True)}
    end = time.monotonic() + deadline_s
    for answer, name in asked.items():
        try:
            ray.get(answer, timeout=max(0.0, end - time.monotonic()))
        except GetTimeoutError:
            pending = ray.wait(list(asked), num_returns=len(asked), timeout=0)[1]
            late = ", ".join(asked[item] for item in pending)
            raise StartTimeout(
                f"{late} did not start within {deadline_s:g} s (model {crew.model.path}): "
                "free the CPUs or GPUs it waits for, or raise start_deadline_s"
            ) from None
        except RayError as error:
            raise RuntimeError(f"{name} could not start on {crew.model.path}: {_cause(error)}") from error


def _cause(error: RayError) -> str:
    """The last line of a remote traceback: the exception itself."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
