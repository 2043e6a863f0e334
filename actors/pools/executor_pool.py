"""Implement a search's Executor over sandbox actors, one a node, with routing and retries."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from actors.errors import ActorLost, RequestFailed, Unreachable
from actors.rpc.client import RpcClient
from actors.rpc.server import RpcServer
from actors.sandbox.client.executor import LocalExecutor, codes_of, run_steps
from actors.sandbox.client.result import ExecResult
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import Tier
from search.data import State, Step

__all__ = [
    "ExecutorActor",
    "ExecutorPool",
    "ExecutorUnavailable",
    "LocalExecutor",
    "count_restarts",
    "describe_isolation",
    "start_executors",
    "stop_executors",
]

START_MARGIN_S = 120.0  # for an actor to be placed and its service to start, beyond ``request_deadline_s``
DESCRIBE_TIMEOUT_S = 60  # for a started executor to describe itself
COUNT_TIMEOUT_S = 10  # for all executors together to return their counts
RETRY_PAUSE_S = 0.5  # between two tries of a request
MAX_FAILED_TRIES = 3  # of a request that a living executor drops: an executor that always fails it is at fault
REMEMBERED_PROBLEMS = 10_000


class ExecutorUnavailable(TimeoutError):
    """An executor did not start or did not respond in time."""


class ExecutorActor(RpcServer):
    """A LocalExecutor as a Ray async actor."""

    def __init__(self, config: ExecutorConfig) -> None:
        super().__init__()
        self.executor = LocalExecutor(config)

    async def ready(self) -> dict[str, Any]:
        """Start the sandbox; return the isolation in force."""
        return await self.executor.start()

    async def run(self, prefix: tuple[str, ...], codes: tuple[str, ...]) -> list[ExecResult]:
        """Run each of ``codes`` after all of ``prefix``; return one result for each."""
        return await self.executor.run_siblings(prefix, codes)

    async def restarts(self) -> int:
        """Return how often a fork server died and was started again."""
        return self.executor.restarts

    async def stop(self) -> None:
        await self.executor.close()


def start_executors(config: ExecutorConfig, options: dict[str, Any] | None = None) -> list[Any]:
    """Start ``config.replicas`` executor actors and return their handles once they are ready.

    ``options`` are Ray's, for placement; by default actors are spread over the nodes. Raises UserError where an
    executor cannot provide ``config.required_tier``, and ExecutorUnavailable where one does not start in time.
    """
    defaults = {"num_cpus": config.num_cpus, "max_restarts": -1, "max_task_retries": 0, "scheduling_strategy": "SPREAD"}
    remote = ray.remote(ExecutorActor).options(**{**defaults, **(options or {})})
    handles = [remote.remote(config) for _ in range(config.replicas)]
    timeout_s = config.request_deadline_s + START_MARGIN_S
    try:
        ray.get([handle.ready.remote() for handle in handles], timeout=timeout_s)
    except GetTimeoutError as error:
        for handle in handles:
            ray.kill(handle)
        executors = f"{config.replicas} executor(s) of {config.num_cpus:g} CPU(s)"
        raise ExecutorUnavailable(
            f"{executors} did not start within {timeout_s:.0f} s: has the cluster room?"
        ) from error
    except RayTaskError as error:
        stop_executors(handles)
        raise error.cause or error from error
    return handles


def describe_isolation(handles: Sequence[Any]) -> str:
    """Describe the weakest isolation in force among the executors, for the manifest and the report."""
    descriptions = ray.get([handle.ready.remote() for handle in handles], timeout=DESCRIBE_TIMEOUT_S)
    weakest = min(descriptions, key=lambda description: Tier(description["tier"]).rank)
    reasons = "; ".join(weakest["missing"])
    return f"{weakest['tier']} ({', '.join(weakest['parts'])}{'; ' + reasons if reasons else ''})"


def count_restarts(handles: Sequence[Any]) -> int:
    """Return how often the fork servers of the executors were started again. An actor that is down counts 0."""
    if not handles:
        return 0
    calls = [handle.restarts.remote() for handle in handles]
    restarts = 0
    for call in ray.wait(calls, num_returns=len(calls), timeout=COUNT_TIMEOUT_S)[0]:
        try:
            restarts += ray.get(call)
        except RayActorError:
            continue
    return restarts


def stop_executors(handles: Sequence[Any]) -> None:
    """Stop the sandboxes, then the actors. Actors that are already gone are no error."""
    for handle in handles:
        try:
            ray.get(handle.stop.remote(), timeout=10)
        except (RayActorError, GetTimeoutError):
            pass
        ray.kill(handle)


@dataclass(eq=False)
class ExecutorReplica:
    """The connection to one executor, and the number of steps in flight on it."""

    client: RpcClient
    name: str
    inflight: int = 0


class ExecutorPool:
    """Routes steps to executors; implements search.protocols.Executor. Belongs to one event loop.

    All steps of a problem go to the same executor, which keeps the states of its programs alive. Steps of an executor
    that died are run again when it is back. ``counts``: "retries" of requests, and requests that "gave_up".
    """

    role = "executor"

    def __init__(self, handles: Sequence[Any], config: ExecutorConfig) -> None:
        self.replicas = [
            ExecutorReplica(RpcClient(handle), f"{self.role}-{index}") for index, handle in enumerate(handles)
        ]
        self.config = config
        self.replica_by_problem: OrderedDict[str, ExecutorReplica] = OrderedDict()
        self.counts: Counter[str] = Counter()
        self.executions = 0

    async def run(self, state: State, steps: Sequence[Step]) -> list[Step]:
        """Run the steps after those of ``state``, in one request.

        Never raises for what their code does. Raises ExecutorUnavailable when the problem's executor does not respond
        in time, and RequestFailed when it drops the request MAX_FAILED_TRIES times.
        """
        return await run_steps(steps, partial(self._run, state))

    async def _run(self, state: State, codes: tuple[str, ...]) -> list[ExecResult]:
        replica = self._replica_of(state.problem.id)
        replica.inflight += len(codes)
        try:
            results = await self._run_with_retries(replica, codes_of(state), codes)
            self.executions += len(codes)
            return results
        finally:
            replica.inflight -= len(codes)

    @property
    def inflight(self) -> int:
        """Steps that executors have in hand for this pool."""
        return sum(replica.inflight for replica in self.replicas)

    def close(self) -> None:
        """Close the connections to all executors. Nothing may be in flight."""
        for replica in self.replicas:
            replica.client.close()

    def _replica_of(self, problem_id: str) -> ExecutorReplica:
        """Return the executor of a problem: the one it had before, else the least loaded one."""
        replica = self.replica_by_problem.get(problem_id) or min(self.replicas, key=lambda replica: replica.inflight)
        self.replica_by_problem[problem_id] = replica
        self.replica_by_problem.move_to_end(problem_id)
        if len(self.replica_by_problem) > REMEMBERED_PROBLEMS:
            self.replica_by_problem.popitem(last=False)
        return replica

    async def _run_with_retries(
        self, replica: ExecutorReplica, prefix: tuple[str, ...], codes: tuple[str, ...]
    ) -> list[ExecResult]:
        """Call the executor until it responds; Ray restarts an actor that died.

        Raises ExecutorUnavailable once the deadline passes, and RequestFailed after MAX_FAILED_TRIES of those.
        """
        rounds = 1 + replica.inflight // (self.config.concurrency or 1)
        deadline = time.monotonic() + self.config.request_deadline_s + rounds * self.config.wall_seconds
        failed_tries = 0
        while True:
            try:
                timeout_s = max(0.1, deadline - time.monotonic())
                results = await replica.client.call("run", prefix, codes, timeout_s=timeout_s)
                return results  # type: ignore[no-any-return]
            except RequestFailed:
                failed_tries += 1
                if failed_tries == MAX_FAILED_TRIES:
                    self.counts["gave_up"] += 1
                    raise
            except (RayActorError, ActorLost, Unreachable, TimeoutError) as error:
                if time.monotonic() + RETRY_PAUSE_S >= deadline:
                    self.counts["gave_up"] += 1
                    cause = f"; last: {error}" if isinstance(error, Unreachable) else ""
                    raise ExecutorUnavailable(
                        f"{replica.name} did not answer in {self.config.request_deadline_s:g} s{cause}"
                    ) from error
            self.counts["retries"] += 1
            await asyncio.sleep(RETRY_PAUSE_S)
