"""Executors: model-written code run in sandboxed services, one a node, behind search's Executor protocol.

Knows routing and retries. What a step may do and how it is confined is the sandbox's business.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from actors.errors import ActorLost, Unreachable
from actors.rpc.client import RpcClient
from actors.rpc.server import RpcServer
from actors.sandbox.client.executor import LocalExecutor, codes_of, ran
from actors.sandbox.client.result import ExecResult
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import Tier
from search.data import State, Step

__all__ = [
    "ExecutorActor",
    "ExecutorPool",
    "ExecutorUnavailable",
    "LocalExecutor",
    "isolation",
    "start_executors",
    "stop_executors",
]

START_SECONDS = 120.0  # for an actor to be placed and its service to start, beyond the pool's patience
READY_SECONDS = 60  # an executor that has started says at once what it is
PAUSE_SECONDS = 0.5  # between tries while an executor restarts
REMEMBERED_PROBLEMS = 10_000


class ExecutorUnavailable(TimeoutError):
    """No executor answered in time."""


class ExecutorActor(RpcServer):
    """A LocalExecutor as a Ray async actor."""

    def __init__(self, config: ExecutorConfig) -> None:
        super().__init__()
        self.executor = LocalExecutor(config)

    async def ready(self) -> dict[str, Any]:
        """Returns once steps are taken, with the isolation in force."""
        return await self.executor.start()

    async def run(self, prefix: tuple[str, ...], codes: tuple[str, ...]) -> list[ExecResult]:
        """One result for each of ``codes`` after those of ``prefix``."""
        return await self.executor.run_siblings(prefix, codes)

    async def stop(self) -> None:
        await self.executor.close()


def start_executors(config: ExecutorConfig, options: dict[str, Any] | None = None) -> list[Any]:
    """``config.replicas`` executor actors, ready for steps. ``options`` are Ray's, for placement; spread by default.

    Raises UserError where an executor cannot isolate as ``config.require`` demands.
    """
    chosen = {"num_cpus": config.num_cpus, "max_restarts": -1, "max_task_retries": 0, "scheduling_strategy": "SPREAD"}
    remote = ray.remote(ExecutorActor).options(**{**chosen, **(options or {})})
    handles = [remote.remote(config) for _ in range(config.replicas)]
    patience = config.patience_seconds + START_SECONDS
    try:
        ray.get([handle.ready.remote() for handle in handles], timeout=patience)
    except GetTimeoutError as error:
        for handle in handles:
            ray.kill(handle)
        asked = f"{config.replicas} executor(s) of {config.num_cpus:g} CPU(s)"
        raise ExecutorUnavailable(f"{asked} did not start within {patience:.0f} s: has the cluster room?") from error
    except RayTaskError as error:
        stop_executors(handles)
        raise error.cause or error from error
    return handles


def isolation(handles: Sequence[Any]) -> str:
    """The weakest isolation in force among the executors, with what it is made of: for the manifest and the report."""
    said = ray.get([handle.ready.remote() for handle in handles], timeout=READY_SECONDS)
    weakest = min(said, key=lambda hello: Tier(hello["tier"]).rank)
    reasons = "; ".join(weakest["missing"])
    return f"{weakest['tier']} ({', '.join(weakest['parts'])}{'; ' + reasons if reasons else ''})"


def stop_executors(handles: Sequence[Any]) -> None:
    """End the services, then the actors. Actors that are already gone are no error."""
    for handle in handles:
        try:
            ray.get(handle.stop.remote(), timeout=10)
        except (RayActorError, GetTimeoutError):
            pass
        ray.kill(handle)


@dataclass(eq=False)
class ExecutorReplica:
    """The way to one executor, and how many steps are on it."""

    executor: RpcClient
    runs: int = 0


class ExecutorPool:
    """Routes steps to executors; implements search.protocols.Executor. Belongs to one event loop.

    All steps of a problem go to the same executor, which has its states live. Steps of an executor that died are run
    again when it is back.
    """

    def __init__(self, handles: Sequence[Any], config: ExecutorConfig) -> None:
        self.lanes = [ExecutorReplica(RpcClient(handle)) for handle in handles]
        self.config = config
        self.homes: OrderedDict[str, ExecutorReplica] = OrderedDict()
        self.retries = 0
        self.executions = 0

    async def run(self, state: State, steps: Sequence[Step]) -> list[Step]:
        """Run the steps, in one request. Never raises for what their code does; ExecutorUnavailable when no executor
        answers in time."""
        return await ran(steps, partial(self._run, state))

    async def _run(self, state: State, codes: tuple[str, ...]) -> list[ExecResult]:
        lane = self._home(state.problem.id)
        lane.runs += len(codes)
        try:
            results = await self._insist(lane, codes_of(state), codes)
            self.executions += len(codes)
            return results
        finally:
            lane.runs -= len(codes)

    @property
    def busy(self) -> int:
        """Steps that executors have in hand for this pool."""
        return sum(lane.runs for lane in self.lanes)

    def close(self) -> None:
        """Hang up on all executors. Nothing may be under way."""
        for lane in self.lanes:
            lane.executor.close()

    def _home(self, problem: str) -> ExecutorReplica:
        """The executor of a problem: where it was before, else the least busy one."""
        lane = self.homes.get(problem) or min(self.lanes, key=lambda lane: lane.runs)
        self.homes[problem] = lane
        self.homes.move_to_end(problem)
        if len(self.homes) > REMEMBERED_PROBLEMS:
            self.homes.popitem(last=False)
        return lane

    async def _insist(self, lane: ExecutorReplica, prefix: tuple[str, ...], codes: tuple[str, ...]) -> list[ExecResult]:
        """Ask until answered or out of patience; a died actor is restarted by Ray and asked again."""
        rounds = 1 + lane.runs // (self.config.concurrency or 1)
        deadline = time.monotonic() + self.config.patience_seconds + rounds * self.config.wall_seconds
        while True:
            try:
                within = max(0.1, deadline - time.monotonic())
                return await lane.executor.ask("run", prefix, codes, within=within)  # type: ignore[no-any-return]
            except (RayActorError, ActorLost, Unreachable, TimeoutError) as error:
                if time.monotonic() + PAUSE_SECONDS >= deadline:
                    waited = self.config.patience_seconds
                    told = f"; last: {error}" if isinstance(error, Unreachable) else ""
                    raise ExecutorUnavailable(f"no executor answered in {waited:.0f} s{told}") from error
                self.retries += 1
                await asyncio.sleep(PAUSE_SECONDS)
