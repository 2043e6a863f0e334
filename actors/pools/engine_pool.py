"""Implement a search's Policy and RewardModel over replicas of an engine: render, route, call, retry.

Retries are made here and not by Ray. A request keeps its key and its seed over all its tries, so a retry on another
engine gives the same candidates. An engine that died or does not respond gets no request until its health call
succeeds. An engine's ``max_inflight`` is shared among its callers: its responses say what others have in flight there.

    propose(state) ── pieces, stops ────> Router.acquire ──> engine ──> Proposal
                                             ^    died, late or failed: mark the replica down, back off, retry
                                             └────────────────────────────────────┘
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from ray.actor import ActorHandle
from ray.exceptions import ObjectLostError, RayActorError, WorkerCrashedError

from actors.config import EngineConfig
from actors.errors import ActorLost, EngineGaveUp, PromptTooLong, RequestFailed, Unreachable, WrongModel
from actors.pools.router import Replica, Router
from actors.rpc.client import RpcClient
from actors.rpc.messages import Load
from actors.stats import PoolStats
from search.concurrency.tracing import Activity, span
from search.data import Candidate, Finish, ModelRef, Proposal, Sampling, Scores, State
from search.formats.base import StepFormat
from search.reward_models import RewardAdapter

Response = TypeVar("Response", Proposal, Scores)
logger = logging.getLogger(__name__)
# The engine, or the way to it, is lost.
LOST = (RayActorError, ObjectLostError, WorkerCrashedError, ActorLost, Unreachable)


class EnginePool(Generic[Response]):
    """Sends requests to the engines of one role. A pool belongs to one asyncio loop; many pools may share engines.

    ``model`` is the one that the engines must serve: engines that come back on another one load it first. None accepts
    any. ``counts``: "requests", "retries", "gave_up" and "too_long" requests; engines that went down ("engine_died",
    "timeout", "wrong_model"), that "came_back", and health calls or loads that raised an unexpected error
    ("revival_failed"). ``activity``: what a trace calls a request.
    """

    activity: Activity

    def __init__(
        self, handles: Sequence[ActorHandle], config: EngineConfig, role: str, model: ModelRef | None = None
    ) -> None:
        self.role, self.config, self.model = role, config, model
        replicas = [self._replica(handle, f"{role}-{index}") for index, handle in enumerate(handles)]
        self._router: Router[RpcClient] = Router(replicas)
        self._revivals: set[asyncio.Task[None]] = set()
        self.counts: Counter[str] = Counter()
        self.stats = PoolStats()

    @property
    def inflight(self) -> int:
        """Sequences at engines."""
        return self._router.inflight

    @property
    def waiting(self) -> int:
        """Sequences that wait here for room at an engine."""
        return self._router.waiting

    async def call(self, problem_id: str, key: str, method: str, *arguments: Any, size: int = 1) -> Response:
        """Return the response of an engine's method; ``size`` is in sequences. Raises EngineGaveUp after all tries."""
        reason = "no engine was up"
        for attempt in range(self.config.max_attempts):
            replica = self._router.try_acquire(problem_id, size)
            if replica is None:
                with span(Activity.QUEUE, role=self.role, sequences=size):
                    replica = await self._wait_for_replica(problem_id, size, key, reason)
            self.counts["requests"] += 1
            try:
                with span(self.activity, role=self.role, sequences=size, engine=replica.name, request=key):
                    return await replica.client.call(  # type: ignore[no-any-return]
                        method, *arguments, size=size, timeout_s=self.config.request_deadline_s
                    )
            except LOST as error:
                reason = f"{replica.name} died: {_first_line(error)}"
                self._mark_down(replica, "engine_died")
            except TimeoutError:
                reason = f"{replica.name} did not answer in {self.config.request_deadline_s:g} s"
                self._mark_down(replica, "timeout")
            except WrongModel as error:
                reason = _first_line(error)
                self._mark_down(replica, "wrong_model")
            except RequestFailed as error:
                reason = _first_line(error)
            finally:
                self._router.release(replica, size)
            self.counts["retries"] += 1
            await asyncio.sleep(self.config.backoff_s * 2**attempt)
        self.counts["gave_up"] += 1
        raise EngineGaveUp(f"{self.role} request {key} failed {self.config.max_attempts} times; last: {reason}")

    def close(self) -> None:
        """Close the connections to all engines. Nothing may be in flight."""
        for replica in self._router.replicas:
            replica.client.close()
        for task in self._revivals:
            task.cancel()

    def _replica(self, handle: ActorHandle, name: str) -> Replica[RpcClient]:
        client = RpcClient(handle, lambda load: self._on_load(replica, load))
        replica: Replica[RpcClient] = Replica(client, name, self.config.max_inflight)
        return replica

    def _on_load(self, replica: Replica[RpcClient], load: Load) -> None:
        """Limit this pool to what other callers leave of the engine, but at least to an equal share."""
        max_inflight = self.config.max_inflight
        replica.limit = max(max_inflight // (load.callers + 1), max_inflight - load.inflight, 1)
        self._router.wake_waiters()

    def _record(self, response: Response, outputs: int) -> None:
        self.stats.responses += 1
        self.stats.outputs += outputs
        self.stats.prompt_tokens += response.prompt_tokens
        self.stats.cached_tokens += response.cached_tokens

    async def _wait_for_replica(self, problem_id: str, size: int, key: str, reason: str) -> Replica[RpcClient]:
        """Acquire room on an engine. Waits without limit while any engine is up, else for ``start_deadline_s``."""
        acquisition = asyncio.ensure_future(self._router.acquire(problem_id, size))
        try:
            while True:
                done, _ = await asyncio.wait({acquisition}, timeout=self.config.start_deadline_s)
                if done:
                    return acquisition.result()
                if not any(replica.is_up for replica in self._router.replicas):
                    names = ", ".join(replica.name for replica in self._router.replicas)
                    raise EngineGaveUp(
                        f"{self.role} request {key}: none of {names} came back in {self.config.start_deadline_s:g} s; "
                        f"last: {reason}"
                    )
        finally:
            if not acquisition.done():
                acquisition.cancel()
            elif acquisition.exception() is None and asyncio.current_task().cancelling():  # type: ignore[union-attr]
                self._router.release(acquisition.result(), size)  # cancelled in the moment the room came

    def _mark_down(self, replica: Replica[RpcClient], cause: str) -> None:
        if replica.is_up:
            self.counts[cause] += 1
            self._router.mark_down(replica)
            task = asyncio.get_running_loop().create_task(self._revive(replica))
            self._revivals.add(task)
            task.add_done_callback(self._revivals.discard)

    async def _revive(self, replica: Replica[RpcClient]) -> None:
        """Poll an engine until it is healthy and serves the pool's model, then mark it up.

        An unexpected error is logged, each message once in a row, and does not end the polling: nothing else could
        bring the engine back.
        """
        last_logged = ""
        while True:
            await asyncio.sleep(5 * self.config.backoff_s)
            try:
                async with asyncio.timeout(self.config.request_deadline_s):
                    actor = replica.client.actor
                    await (actor.load.remote(self.model) if self.model else actor.health.remote())
            except (*LOST, TimeoutError, RequestFailed):
                continue
            except Exception as error:  # noqa: BLE001 the boundary of the polling: see above
                self.counts["revival_failed"] += 1
                message = f"{type(error).__name__}: {_first_line(error)}"
                if message != last_logged:
                    logger.warning("%s does not come back: %s", replica.name, message)
                last_logged = message
                continue
            self.counts["came_back"] += 1
            self._router.mark_up(replica)
            return


class PolicyPool(EnginePool[Proposal]):
    """Implements search.protocols.Policy over policy engines."""

    activity = Activity.GENERATE

    def __init__(
        self,
        handles: Sequence[ActorHandle],
        format: StepFormat,
        config: EngineConfig,
        model: ModelRef | None = None,
        role: str = "policy",
    ) -> None:
        super().__init__(handles, config, role, model)
        self._format = format

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        """Return ``n`` candidates, one if greedy.

        A state that fills the context has one empty candidate, cut off before its first token; "too_long" counts it.
        """
        pieces = tuple(segment.piece for segment in self._format.segments(state))
        stops = self._format.stops(state, sampling.until)
        key, size = request_key(state, seed), 1 if sampling.temperature == 0 else n
        try:
            proposal = await self.call(
                state.problem.id, key, "propose", pieces, stops, n, sampling, seed, key, self.model, size=size
            )
        except PromptTooLong:
            self.counts["too_long"] += 1
            return Proposal((Candidate("", (), Finish.LENGTH),))
        self._record(proposal, proposal.generated_tokens)
        return proposal


class RewardModelPool(EnginePool[Scores]):
    """Implements search.protocols.RewardModel over reward models, which ``adapter`` shows the states to."""

    activity = Activity.SCORE

    def __init__(
        self,
        handles: Sequence[ActorHandle],
        adapter: RewardAdapter,
        config: EngineConfig,
        model: ModelRef | None = None,
    ) -> None:
        super().__init__(handles, config, "reward_model", model)
        self._adapter = adapter

    async def score(self, states: Sequence[State]) -> Scores:
        """Return one logit a state from one request; send none for no states."""
        if not states:
            return Scores(())
        key = request_key(states[0], len(states))
        rendered = tuple(self._adapter.render(state) for state in states)
        scores = await self.call(states[0].problem.id, key, "score", rendered, key, self.model, size=len(states))
        self._record(scores, len(states))
        return scores


def request_key(state: State, seed: int) -> str:
    """Return the name of a request in logs and errors, the same over all its tries."""
    return f"{state.problem.id}/{len(state.steps)}/{seed:x}"


def _first_line(error: BaseException) -> str:
    text: Any = str(error).strip() or type(error).__name__
    return str(text.splitlines()[0])
