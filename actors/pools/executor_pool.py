"""Implement a search's Executor over sandbox actors, one a node, with routing and retries."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from actors.actor_names import actor_name
from actors.errors import ActorLost, RequestFailed, Unreachable
from actors.forwarded import forget_forwarded
from actors.placement.cluster_nodes import read_nodes
from actors.placement.node_choice import NodeTier, tier_of
from actors.placement.nodes import EXECUTOR_ROLE, ROLE_LABEL, Node
from actors.placement.placer import Placer, near
from actors.pools.executor_nodes import ExecutorPlan, plan_executors
from actors.rpc.client import RpcClient
from actors.rpc.server import RpcServer
from actors.sandbox.client.executor import LocalExecutor, codes_of, run_steps
from actors.sandbox.client.result import ExecResult
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import Tier
from search.concurrency.tracing import Activity, span
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

START_MARGIN_S = (
    120.0  # for an actor to be placed on this machine and its service to start, beyond ``request_deadline_s``
)
DESCRIBE_TIMEOUT_S = 60  # for a started executor to describe itself
COUNT_TIMEOUT_S = 10  # for all executors together to return their counts
RETRY_PAUSE_S = 0.5  # between two tries of a request
MAX_FAILED_TRIES = 3  # of a request that a living executor drops: an executor that always fails it is at fault
REMEMBERED_PROBLEMS = 10_000
NODE_ID_LABEL = "ray.io/node-id"  # Ray sets it on every node
ANYWHERE: dict[str, Any] = {"scheduling_strategy": "SPREAD"}


class ExecutorUnavailable(TimeoutError):
    """An executor did not start or did not respond in time."""


class ExecutorActor(RpcServer):
    """A LocalExecutor as a Ray async actor."""

    def __init__(self, config: ExecutorConfig) -> None:
        super().__init__()
        forget_forwarded()
        self.executor = LocalExecutor(config)

    def __repr__(self) -> str:
        return f"executor on {socket.gethostname()}"

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


def start_executors(
    config: ExecutorConfig, options: dict[str, Any] | None = None, placer: Placer | None = None
) -> list[Any]:
    """Start ``config.replicas`` executor actors and return their handles once they are ready.

    ``placer`` chooses their nodes on a cluster, and waits for room; ``options`` are Ray's. Raises UserError where an
    executor cannot provide ``config.required_tier`` or no node may be used, NoRoom where none has room in time, and
    ExecutorUnavailable where one does not start in time.
    """
    defaults = {"num_cpus": config.num_cpus, "max_restarts": -1, "max_task_retries": 0, "scheduling_strategy": "SPREAD"}
    starts = [(config, dict[str, Any]())] * config.replicas if placer is None else _places(config, placer)
    actor = ray.remote(ExecutorActor)
    handles = [
        actor.options(
            **{**defaults, **(options or {}), **place}, name=actor_name(f"{ExecutorPool.role}-{index}")
        ).remote(settings)
        for index, (settings, place) in enumerate(starts)
    ]
    timeout_s = config.request_deadline_s + START_MARGIN_S
    try:
        if placer is not None:
            placer.await_placed({f"executor-{index}": handle for index, handle in enumerate(handles)}, config.num_cpus)
        ray.get([handle.ready.remote() for handle in handles], timeout=timeout_s)
    except GetTimeoutError as error:
        _kill(handles)
        executors = f"{config.replicas} executor(s) of {config.num_cpus:g} CPU(s)"
        raise ExecutorUnavailable(
            f"{executors} did not start within {timeout_s:.0f} s: has the cluster room?"
        ) from error
    except RayTaskError as error:
        stop_executors(handles)
        raise error.cause or error from error
    except BaseException:
        _kill(handles)
        raise
    return handles


def _places(config: ExecutorConfig, placer: Placer) -> list[tuple[ExecutorConfig, dict[str, Any]]]:
    """Return the settings of each executor and Ray's options for its place, and say which nodes were chosen."""
    plan = placer.retry(partial(plan_executors, config, settings=placer.settings))
    placer.say(plan.describe())
    steps = [seat.concurrency for seat in plan.seats] + [config.concurrency] * (plan.replicas - len(plan.seats))
    settings = [config.model_copy(update={"concurrency": concurrency}) for concurrency in steps]
    return list(zip(settings, _options(plan, read_nodes()), strict=True))


def _options(plan: ExecutorPlan, nodes: Sequence[Node]) -> list[dict[str, Any]]:
    """Return Ray's options for each executor of the plan; those without a seat go where room comes up.

    ``nodes``: all of the cluster. Under cpu_only an executor is not started elsewhere even when its node has died.
    """
    if plan.settings.executors == "auto":
        return [near(seat.node) for seat in plan.seats] + [ANYWHERE] * (plan.replicas - len(plan.seats))
    if any(seat.node.labels.get(ROLE_LABEL) == EXECUTOR_ROLE for seat in plan.seats):
        allowed = {ROLE_LABEL: EXECUTOR_ROLE}
    else:
        others = sorted(node.id for node in nodes if tier_of(node) is not NodeTier.CPU)
        allowed = {NODE_ID_LABEL: f"!in({', '.join(others)})"} if others else {}
    # Not SPREAD: Ray's spreading takes no heed of labels.
    return [
        {
            "label_selector": {NODE_ID_LABEL: seat.node.id},
            "fallback_strategy": [{"label_selector": allowed}],
            "scheduling_strategy": "DEFAULT",
        }
        for seat in plan.seats
    ]


def _kill(handles: Sequence[Any]) -> None:
    for handle in handles:
        ray.kill(handle)


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
            with span(Activity.EXECUTE, executor=replica.name, programs=len(codes)):
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
