"""The service process: takes steps from its client, has them run by forks of live states, answers each exactly once.

It is the parent of every step, keeps the time, and believes only the kernel. One thread, one epoll, no imports beyond
the standard library. What happens to a step:

    client -> sums, answered at once
           -> queue -> place -> fork of the deepest live state -> job -> result | death | deadline -> answer
                          \\-> the state of its prefix is rebuilt first, once, for all that wait for it
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import socket
import time
from collections import deque
from dataclasses import dataclass, field

from actors.sandbox.framing import Channel, framed
from actors.sandbox.jail.interpreter import OK, OK_ALTERED
from actors.sandbox.limits import ROOT_KEY, Limits, Tier, chain
from actors.sandbox.server.arithmetic import work_out
from actors.sandbox.server.launch import ServiceFailed, start_zygote
from actors.sandbox.server.process import Phase, Process, Violation
from actors.sandbox.server.process_table import ProcessTable
from actors.sandbox.server.replay_costs import Costs
from actors.sandbox.server.scratch import Slots
from actors.sandbox.server.seccomp_notify import Asked, SeccompNotifier, SyscallRequest, group_of, threads_of
from actors.sandbox.server.state_cache import StateCache

START_SECONDS = 15.0  # for a fork to say hello
HANGUP_SECONDS = 0.5
IDLE_SECONDS = 5.0
TRIES = 3
MOST_UNKEEPABLE = 10_000


@dataclass(eq=False)
class Request:
    """A step to run after its prefix. ``rebuilt`` once its prefix was rebuilt for it."""

    id: int
    codes: tuple[str, ...]
    keys: tuple[bytes, ...]
    rebuilt: bool = False
    tries: int = 0


@dataclass(eq=False)
class ForkJob:
    """Codes for one fork. Either a request's own run, or the rebuilding of a prefix that ``waiting`` wait for."""

    codes: tuple[str, ...]
    key: bytes
    base: Process
    request: Request | None = None
    waiting: list[Request] = field(default_factory=list)
    verdict: bytes = b""  # why it was killed


class ForkServer:
    """State of the service; ``serve`` is its loop."""

    def __init__(self, client: socket.socket, limits: Limits, scratch: str) -> None:
        self.channel = Channel(client)
        self.limits = limits
        self.roster = ProcessTable(self.on_socket, self.on_death)
        self.slots = Slots(scratch, 2 * limits.concurrency + 2)
        self.queue: deque[Request] = deque()
        self.jobs: dict[Process, ForkJob] = {}
        self.building: dict[bytes, ForkJob] = {}
        self.unkeepable: set[bytes] = set()
        self.born = start_zygote(limits, list(self.slots.free))
        self.zygote = self.born.process
        self.lawless = self.born.tier is Tier.NONE
        self.states = StateCache(self.zygote, limits.live_states, limits.live_mib)
        self.costs = Costs(limits.replay_forks)

    # -- events -------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Until the client hangs up. Raises ServiceFailed when the zygote is lost."""
        self.channel.sock.setblocking(False)
        self.roster.adopt_orphans()
        self.roster.selector.register(self.channel.sock, selectors.EVENT_READ, self.on_client)
        self.roster.watch(self.zygote)
        self.roster.watch_death(self.zygote)
        if self.born.listener >= 0:
            gate = SeccompNotifier(self.born.listener, self.decide)
            self.slots.asked_for = True
            self.roster.selector.register(gate.descriptor, selectors.EVENT_READ, lambda events: gate.answer())
        self.channel.send(self.greeting())
        while True:
            for key, events in self.roster.selector.select(self.patience()):
                key.data(events)
            self.enforce_deadlines()
            self.schedule()
            self.roster.sweep()

    def greeting(self) -> dict[str, object]:
        tier, missing, parts = self.born.tier, self.born.missing, self.born.parts
        return {"pid": os.getpid(), "zygote": self.zygote.pid, "tier": tier, "missing": missing, "parts": parts}

    def patience(self) -> float:
        """Seconds until something must be looked at even if nothing happens."""
        if not self.jobs:
            return IDLE_SECONDS
        return max(0.0, min(1.0, min(process.deadline for process in self.jobs) - time.monotonic()))

    def enforce_deadlines(self) -> None:
        now = time.monotonic()
        for process in [process for process in self.jobs if process.deadline <= now]:
            process.deadline = now + START_SECONDS
            self.look_at(process, now)

    def look_at(self, process: Process, now: float) -> None:
        if process.phase is Phase.STARTING:
            self.lose_base(process)
        elif not self.roster.hears(process):
            self.condemn(process, b"c")
        elif process.time_is_up(self.limits, now):
            self.condemn(process, b"T")

    def on_client(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self.listen_to_client(self.channel.flush())
        if events & selectors.EVENT_READ:
            for identity, codes in self.channel.receive():
                self.admit(Request(identity, tuple(codes), chain(tuple(codes))))

    def admit(self, request: Request) -> None:
        """Answer at once what is nothing but sums; everything else has to be run."""
        printed = work_out(request.codes) if self.limits.sums else None
        if printed is None or len(printed) > self.limits.output_bytes:
            self.queue.append(request)
        else:
            self.answer(request, OK, printed.encode())

    def listen_to_client(self, all_sent: bool) -> None:
        events = selectors.EVENT_READ | (0 if all_sent else selectors.EVENT_WRITE)
        self.roster.selector.modify(self.channel.sock, events, self.on_client)

    def answer(self, request: Request, letter: bytes, body: bytes) -> None:
        all_sent = self.channel.send([request.id, letter.decode("latin-1"), body.decode("utf-8", "replace")])
        if not all_sent:
            self.listen_to_client(False)

    # -- what the kernel asks on behalf of a step ---------------------------------------------------------------

    def decide(self, asked: Asked) -> int:
        """A fork only where one was ordered, threads and files up to their limits. The errno of a refusal, or 0."""
        process = self.roster.by_pid.get(asked.thread) or self.roster.by_pid.get(group_of(asked.thread))
        if process is None:  # it may have said hello while this was under way
            self.hear_new_processes()
            process = self.roster.by_pid.get(group_of(asked.thread))
        if process is None or process.phase is Phase.DOOMED:
            return errno.EPERM
        if asked.wish is SyscallRequest.FORK:
            process.grants -= 1
            return 0 if process.grants >= 0 else errno.EPERM
        if asked.wish is SyscallRequest.THREAD:
            return 0 if threads_of(process.pid) < self.limits.processes else errno.EAGAIN
        process.files += 1
        return 0 if process.files <= self.limits.scratch_files else errno.ENOSPC

    def hear_new_processes(self) -> None:
        for process in [process for process in self.jobs if process.phase is Phase.STARTING]:
            self.on_socket(process, selectors.EVENT_READ)

    # -- placing and starting -----------------------------------------------------------------------------------

    def schedule(self) -> None:
        while self.queue and self.slots.free and len(self.jobs) < self.limits.concurrency:
            self.place(self.queue.popleft())

    def place(self, request: Request) -> None:
        """Run the request on its prefix's state; where that is not live, have it rebuilt first, unless that is cheap."""
        depth, base = self.states.deepest(request.keys[:-1])
        last = len(request.keys) - 1
        prefix = request.keys[last - 1] if last else ROOT_KEY
        settled = depth == last or request.rebuilt or not self.limits.live_states
        if settled or prefix in self.unkeepable or self.costs.cheap(prefix):
            self.start(ForkJob(request.codes[depth:], request.keys[-1], base, request=request))
        elif prefix in self.building:
            self.building[prefix].waiting.append(request)
        else:
            job = ForkJob(request.codes[depth:-1], prefix, base, waiting=[request])
            self.building[prefix] = job
            self.start(job)

    def start(self, job: ForkJob) -> None:
        """Fork the job's base; the child finds its job on its socket."""
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        child = Process(ours, job.key, token=os.urandom(16), deadline=time.monotonic() + START_SECONDS)
        child.slot = self.slots.take()
        child.outbox += child.token + framed({"codes": job.codes, "cwd": child.slot, "own_group": self.lawless})
        self.jobs[child] = job
        self.roster.watch(child)
        try:
            job.base.order_fork(theirs)
        except OSError:
            theirs.close()
            self.lose_base(child)
            return
        theirs.close()
        self.roster.push(child)

    # -- what processes do --------------------------------------------------------------------------------------

    def on_socket(self, process: Process, events: int) -> None:
        if process not in self.roster.processes:  # released by an earlier event of the same round
            return
        if process.phase is Phase.DOOMED:
            self.roster.turn_away(process)
            return
        if events & selectors.EVENT_WRITE:
            self.roster.push(process)
        if not events & selectors.EVENT_READ:
            return
        try:
            closed = process.read(self.limits.output_bytes + 4096)
            self.understand(process)
        except Violation:
            self.condemn(process, b"f")
            return
        if closed and process in self.roster.processes:
            self.on_hangup(process)

    def on_hangup(self, process: Process) -> None:
        """Its end of the socket is closed: it is dying, which its pidfd will tell, or has closed what it needs."""
        if process.phase is Phase.STARTING:
            self.lose_base(process)
            return
        self.roster.turn_away(process)
        process.deadline = min(process.deadline, time.monotonic() + HANGUP_SECONDS)

    def understand(self, process: Process) -> None:
        if process.phase is Phase.STARTING and process.pid:
            if not process.take_hello() or process.pid in self.roster.by_pid:
                raise Violation("did not say hello as a new process")
            process.phase = Phase.RUNNING
            process.own_group = self.lawless
            process.give_time(self.limits, len(self.jobs[process].codes))
            self.roster.watch_death(process)
        if process.phase is Phase.RUNNING:
            result = process.take_result()
            if result is not None:
                self.finish(process, *result)
        elif process.phase is Phase.IDLE:
            process.take_confirmations()
            if not process.forks and process is not self.zygote:
                process.freeze()

    def condemn(self, process: Process, verdict: bytes) -> None:
        if process in self.jobs:
            self.jobs[process].verdict = verdict
        self.states.drop(process)
        process.kill()

    def on_death(self, process: Process) -> None:
        if process not in self.roster.processes:
            return
        if process is self.zygote:
            raise ServiceFailed("the interpreter died")
        if process.phase is Phase.RUNNING:
            try:
                process.read(self.limits.output_bytes + 4096)
                self.understand(process)
            except Violation:
                self.condemn(process, b"f")
        process.reap()
        if process in self.jobs:
            self.finish(process, self.cause_of_death(process), b"")
        self.release(process)

    def release(self, process: Process) -> None:
        self.states.drop(process)
        self.slots.give(process)
        self.roster.release(process)

    def cause_of_death(self, process: Process) -> bytes:
        job = self.jobs[process]
        if job.verdict:
            return job.verdict
        overdrawn = os.WIFSIGNALED(process.status) and os.WTERMSIG(process.status) == signal.SIGXCPU
        return b"T" if overdrawn else b"c"

    # -- endings ------------------------------------------------------------------------------------------------

    def finish(self, process: Process, letter: bytes, body: bytes) -> None:
        """The job of ``process`` has ended: keep or end the process, answer, and let those go on who waited."""
        job = self.jobs.pop(process)
        ended_well = letter in (OK, OK_ALTERED)
        self.costs.note(job.base.key, job.key, process.cpu_used())
        kept = letter == OK and process.phase is Phase.RUNNING and self.keep(process)
        if not kept:
            process.kill()
        if job.request is not None:
            self.answer(job.request, letter, body)
            return
        self.building.pop(job.key, None)
        if ended_well and not kept and not self.costs.cheap(job.key):
            if len(self.unkeepable) >= MOST_UNKEEPABLE:
                self.unkeepable.clear()
            self.unkeepable.add(job.key)
        for request in reversed(job.waiting):
            if ended_well:
                request.rebuilt = True
                self.queue.appendleft(request)
            else:
                self.answer(request, letter, body)

    def keep(self, process: Process) -> bool:
        """Keep the finished process as a live state, where a fork of it is as good as a replay, and cheaper."""
        if not self.limits.live_states or process.key in self.states or self.costs.cheap(process.key):
            return False
        if not process.keepable() or self.slots.used(process):
            return False
        process.phase = Phase.IDLE
        process.freeze()
        self.slots.give(process)
        self.states.keep(process)
        for state in self.states.surplus():
            state.kill()
        return process.phase is Phase.IDLE

    def lose_base(self, child: Process) -> None:
        """The fork did not come about: end its base, try again elsewhere, give up after a few times."""
        job = self.jobs.pop(child)
        if child.pidfd >= 0:
            child.kill()
        self.release(child)
        if job.base is self.zygote:
            raise ServiceFailed("the interpreter does not fork")
        self.condemn(job.base, b"")
        if job.request is None:
            self.building.pop(job.key, None)
        for request in [job.request] if job.request is not None else job.waiting:
            request.tries += 1
            if request.tries < TRIES:
                self.queue.appendleft(request)
            else:
                self.answer(request, b"c", b"")
