"""Pools: a search's Policy and Scorer over a list of engines. Render, route, call, try again.

Knows Ray handles and step formats. Retries live here and not in Ray: a request keeps its key and its seed over all
its tries, so a try that runs on another engine gives the same candidates. An engine that died or does not answer
gets no request until its health call comes back. How much an engine is sent follows what it holds: its answers say
what other callers have there, and what it decodes at once with a queue beside it (``holds``) is shared among them.

    propose(state) ── segments, stops ──> Router.take ──> engine ──> Proposal
                                             ^    died, late or failed: lane out, wait, next try
                                             └────────────────────────────────────┘
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from ray.actor import ActorHandle
from ray.exceptions import ObjectLostError, RayActorError, WorkerCrashedError

from actors.config import EngineConfig
from actors.engines.likelihood import likelihood
from actors.errors import ActorLost, EngineGaveUp, PromptTooLong, RequestFailed, Unreachable, WrongModel
from actors.pools.router import Replica, Router
from actors.rpc.client import RpcClient
from actors.rpc.server import Load
from actors.stats import PoolStats
from search.data import Candidate, Finish, ModelRef, Proposal, Sampling, Scores, State
from search.formats.registry import Source, StepFormat

Answer = TypeVar("Answer")
# The engine, or the way to it, is lost.
GONE = (RayActorError, ObjectLostError, WorkerCrashedError, ActorLost, Unreachable)


class Pool(Generic[Answer]):
    """Sends requests to engines of one kind. One pool belongs to one asyncio loop; many pools may share engines."""

    def __init__(
        self, handles: Sequence[ActorHandle], config: EngineConfig, kind: str, model: ModelRef | None = None
    ) -> None:
        self.kind, self.config, self.model = kind, config, model
        lanes = [self._lane(handle, f"{kind}-{index}") for index, handle in enumerate(handles)]
        self._router: Router[RpcClient] = Router(lanes)
        self._revivals: set[asyncio.Task[None]] = set()
        self.counts: Counter[str] = Counter()
        self.meter = PoolStats()

    def _lane(self, handle: ActorHandle, name: str) -> Replica[RpcClient]:
        """The way to one engine, with all of its room until it says what others take."""
        lane = Replica(RpcClient(handle, lambda load: self._hear(lane, load)), name, self.config.holds)
        return lane

    def _hear(self, lane: Replica[RpcClient], load: Load) -> None:
        """Others hold something of the engine: what they leave is ours, and an equal share in any case."""
        holds = self.config.holds
        lane.room = max(holds // (load.callers + 1), holds - load.held, 1)
        self._router.serve()

    async def call(self, route: str, key: str, method: str, *arguments: Any, size: int = 1) -> Answer:
        """What the engine's method answers; ``size`` is in sequences. Raises EngineGaveUp after the config's number of
        tries."""
        reason = "never sent"
        for attempt in range(self.config.max_attempts):
            lane = self._router.take_now(route, size) or await self._place(route, size, key, reason)
            self.counts["requests"] += 1
            try:
                return await lane.handle.ask(  # type: ignore[no-any-return]
                    method, *arguments, size=size, within=self.config.request_deadline_s
                )
            except GONE as error:
                reason = f"{lane.name} died: {_line(error)}"
                self._out(lane, "engine_died")
            except TimeoutError:
                reason = f"{lane.name} did not answer in {self.config.request_deadline_s:g} s"
                self._out(lane, "timeout")
            except WrongModel as error:
                reason = _line(error)
                self._out(lane, "wrong_model")
            except RequestFailed as error:
                reason = _line(error)
            finally:
                self._router.give(lane, size)
            self.counts["retries"] += 1
            await asyncio.sleep(self.config.backoff_s * 2**attempt)
        self.counts["gave_up"] += 1
        raise EngineGaveUp(f"{self.kind} request {key} failed {self.config.max_attempts} times; last: {reason}")

    @property
    def load(self) -> tuple[int, int]:
        """Sequences that the engines have in hand for this pool, and those that wait here for room."""
        return self._router.busy, self._router.waiting

    def _count(self, answer: Proposal | Scores, made: int) -> None:
        meter = self.meter
        meter.answers += 1
        meter.made += made
        meter.prompt_tokens += answer.prompt_tokens
        meter.cached_tokens += answer.cached_tokens

    def close(self) -> None:
        """Hang up on all engines. Nothing may be under way."""
        for lane in self._router.lanes:
            lane.handle.close()
        for task in self._revivals:
            task.cancel()

    async def _place(self, route: str, size: int, key: str, reason: str) -> Replica[RpcClient]:
        """Room on an engine. Waiting in a queue that moves has no end; waiting while every engine is out has."""
        wait = asyncio.ensure_future(self._router.take(route, size))
        try:
            while True:
                done, _ = await asyncio.wait({wait}, timeout=self.config.start_deadline_s)
                if done:
                    return wait.result()
                if not any(lane.up for lane in self._router.lanes):
                    names = ", ".join(lane.name for lane in self._router.lanes)
                    raise EngineGaveUp(
                        f"{self.kind} request {key}: none of {names} came back in {self.config.start_deadline_s:g} s; "
                        f"last: {reason}"
                    )
        finally:
            if not wait.done():
                wait.cancel()
            elif wait.exception() is None and asyncio.current_task().cancelling():  # type: ignore[union-attr]
                self._router.give(wait.result(), size)  # cancelled in the moment the room came

    def _out(self, lane: Replica[RpcClient], why: str) -> None:
        if lane.up:
            self.counts[why] += 1
            self._router.down(lane)
            task = asyncio.get_running_loop().create_task(self._revive(lane))
            self._revivals.add(task)
            task.add_done_callback(self._revivals.discard)

    async def _revive(self, lane: Replica[RpcClient]) -> None:
        """Ask an engine for its health until it answers, on the pool's model; it takes requests again from then on."""
        while True:
            await asyncio.sleep(5 * self.config.backoff_s)
            try:
                async with asyncio.timeout(self.config.request_deadline_s):
                    engine = lane.handle.handle
                    await (engine.load.remote(self.model) if self.model else engine.health.remote())
            except (*GONE, TimeoutError, RequestFailed):
                continue
            self.counts["came_back"] += 1
            self._router.back(lane)
            return


class PolicyPool(Pool[Proposal]):
    """search.protocols.Policy over policy engines; with ``model``, engines that came back on another take that in first."""

    def __init__(
        self, handles: Sequence[ActorHandle], format: StepFormat, config: EngineConfig, model: ModelRef | None = None
    ) -> None:
        super().__init__(handles, config, "policy", model)
        self._format = format

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        """``n`` candidates, one if greedy.

        A state that fills the context has one empty candidate, cut off before its first token; "too_long" counts it.
        """
        segments = tuple(segment.text for segment in self._format.segments(state))
        stops = self._format.stops(state, sampling.until)
        key, size = request_key(state, seed), 1 if sampling.temperature == 0 else n
        try:
            proposal = await self.call(
                state.problem.id, key, "propose", segments, stops, n, sampling, seed, key, self.model, size=size
            )
        except PromptTooLong:
            self.counts["too_long"] += 1
            return Proposal((Candidate("", (), Finish.LENGTH),))
        self._count(proposal, proposal.generated_tokens)
        return proposal


class RewardModelPool(Pool[Scores]):
    """search.protocols.Scorer over reward models; ``model`` as for policies.

    A judge by likelihood reads what the policy reads, and is told which of it the policy wrote.
    """

    def __init__(
        self, handles: Sequence[ActorHandle], format: StepFormat, config: EngineConfig, model: ModelRef | None = None
    ) -> None:
        super().__init__(handles, config, "reward_model", model)
        self._likelihood = model is not None and likelihood(model)
        self._format = format if self._likelihood else format.for_reward_model()

    async def score(self, states: Sequence[State]) -> Scores:
        """One raw logit a state, or a log-likelihood, in one request; no request for no states."""
        if not states:
            return Scores(())
        key = request_key(states[0], len(states))
        method, rendered = ("likelihood", self._pieces(states)) if self._likelihood else ("score", self._texts(states))
        scores = await self.call(states[0].problem.id, key, method, rendered, key, self.model, size=len(states))
        self._count(scores, len(states))
        return scores

    def _texts(self, states: Sequence[State]) -> tuple[Any, ...]:
        return tuple(tuple(segment.text for segment in self._format.segments(state)) for state in states)

    def _pieces(self, states: Sequence[State]) -> tuple[Any, ...]:
        return tuple(
            (
                tuple((segment.text, segment.source is Source.MODEL) for segment in self._format.segments(state)),
                bool(state.steps) and state.steps[-1].answer is not None,
            )
            for state in states
        )


def request_key(state: State, seed: int) -> str:
    """Names a request in logs and errors, the same over all its tries."""
    return f"{state.problem.id}/{len(state.steps)}/{seed:x}"


def _line(error: BaseException) -> str:
    """The first line of an error's message, for a one-line report."""
    text: Any = str(error).strip() or type(error).__name__
    return str(text.splitlines()[0])
