"""Choose the state that each step starts from: a live one, one that is rebuilt first, or the zygote."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from actors.sandbox.limits import ROOT_KEY, Limits
from actors.sandbox.server.process import Process
from actors.sandbox.server.replay_costs import ReplayCosts
from actors.sandbox.server.state_cache import StateCache

MAX_TRIES = 3  # forks that may fail for one request
MAX_UNKEEPABLE = 10_000  # remembered prefixes


@dataclass(eq=False, kw_only=True)
class StepRequest:
    """A step to run after its prefix. ``is_rebuilt`` once its prefix was rebuilt for it."""

    id: int
    codes: tuple[str, ...]
    keys: tuple[bytes, ...]
    is_rebuilt: bool = False
    tries: int = 0


@dataclass(eq=False, kw_only=True)
class ForkJob:
    """Codes for one fork of ``base``: a request's own run, or the rebuild of a prefix that ``waiting`` wait for."""

    codes: tuple[str, ...]
    key: bytes
    base: Process
    request: StepRequest | None = None
    waiting: list[StepRequest] = field(default_factory=list)
    verdict: bytes = b""  # why it was killed


class Scheduler:
    """The queue of requests, the rebuilds under way, and the live states."""

    def __init__(self, zygote: Process, limits: Limits) -> None:
        self.limits = limits
        self.queue: deque[StepRequest] = deque()
        self.states = StateCache(zygote, limits.live_states, limits.live_states_mib)
        self.replay_costs = ReplayCosts(limits.replay_forks)
        self.rebuilds: dict[bytes, ForkJob] = {}
        self.unkeepable: set[bytes] = set()  # prefixes whose rebuilt state cannot be kept

    def next_job(self) -> ForkJob | None:
        """Take the oldest request off the queue and return the fork it needs; None if it now waits for a rebuild.

        A request whose prefix is not live has it rebuilt first, once for all requests that need it. It runs from the
        deepest live state instead where the rebuilt state could not be kept, or where a replay is cheap.
        """
        request = self.queue.popleft()
        depth, base = self.states.deepest(request.keys[:-1])
        last = len(request.keys) - 1
        prefix = request.keys[last - 1] if last else ROOT_KEY
        runs_now = depth == last or request.is_rebuilt or not self.limits.live_states
        if runs_now or prefix in self.unkeepable or self.replay_costs.is_cheap(prefix):
            return ForkJob(codes=request.codes[depth:], key=request.keys[-1], base=base, request=request)
        if prefix in self.rebuilds:
            self.rebuilds[prefix].waiting.append(request)
            return None
        job = ForkJob(codes=request.codes[depth:-1], key=prefix, base=base, waiting=[request])
        self.rebuilds[prefix] = job
        return job

    def is_worth_keeping(self, key: bytes) -> bool:
        """Return True if states are kept, this one is not live already, and a replay of it is not cheap."""
        return bool(self.limits.live_states) and key not in self.states and not self.replay_costs.is_cheap(key)

    def end_rebuild(self, job: ForkJob, *, ended_well: bool, kept: bool) -> None:
        """End a rebuild. Where it ended well, those that waited for it go first in the queue."""
        self.rebuilds.pop(job.key, None)
        if not ended_well:
            return
        if not kept and not self.replay_costs.is_cheap(job.key):
            if len(self.unkeepable) >= MAX_UNKEEPABLE:
                self.unkeepable.clear()
            self.unkeepable.add(job.key)
        for request in reversed(job.waiting):
            request.is_rebuilt = True
            self.queue.appendleft(request)

    def retry(self, job: ForkJob) -> list[StepRequest]:
        """Put the requests of a fork that failed first in the queue. Return those that have failed MAX_TRIES times."""
        if job.request is None:
            self.rebuilds.pop(job.key, None)
        given_up = []
        for request in [job.request] if job.request is not None else job.waiting:
            request.tries += 1
            if request.tries < MAX_TRIES:
                self.queue.appendleft(request)
            else:
                given_up.append(request)
        return given_up
