"""Take steps from the client, run each in a fork of a live state, and answer each exactly once.

The fork server is the parent of every step, keeps the time, and trusts only the kernel. One thread, one epoll, no
imports beyond the standard library. The way of a step:

    client -> pure arithmetic: answered at once
           -> queue -> fork of the deepest live state -> job -> result | death | deadline -> answer
                  \\-> the state of its prefix is rebuilt first, once, for all that wait for it
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import socket
import time

from actors.sandbox import verdicts
from actors.sandbox.framing import Channel, encode_frame
from actors.sandbox.limits import Limits, Tier, prefix_keys
from actors.sandbox.server import arithmetic
from actors.sandbox.server.launch import ServerFailed, start_zygote
from actors.sandbox.server.process import Phase, Process, Violation
from actors.sandbox.server.process_table import ProcessTable
from actors.sandbox.server.scheduler import ForkJob, Scheduler, StepRequest
from actors.sandbox.server.scratch import ScratchPool
from actors.sandbox.server.seccomp_notify import (
    SeccompNotifier,
    SyscallKind,
    SyscallRequest,
    count_threads,
    process_of,
)

START_SECONDS = 15.0  # for a fork to say hello
HANGUP_SECONDS = 0.5  # for a process that closed its socket to die
IDLE_SECONDS = 5.0
FRAME_BYTES = 4096  # of a result frame, beyond the output


class ForkServer:
    """The steps under way and the processes that run them. ``serve`` is the loop."""

    def __init__(self, client: socket.socket, limits: Limits, scratch: str) -> None:
        self.channel = Channel(client)
        self.limits = limits
        self.table = ProcessTable(self.on_socket, self.on_death)
        self.scratch = ScratchPool(scratch, 2 * limits.concurrency + 2)
        self.jobs: dict[Process, ForkJob] = {}
        self.launched = start_zygote(limits, list(self.scratch.free))
        self.zygote = self.launched.process
        self.unconfined = self.launched.tier is Tier.NONE
        self.scheduler = Scheduler(self.zygote, limits)

    # -- the loop -----------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Serve until the client hangs up (ConnectionError). Raise ServerFailed when the zygote is lost."""
        self.channel.sock.setblocking(False)
        self.table.adopt_orphans()
        self.table.selector.register(self.channel.sock, selectors.EVENT_READ, self.on_client)
        self.table.watch_socket(self.zygote)
        self.table.watch_death(self.zygote)
        if self.launched.listener >= 0:
            notifier = SeccompNotifier(self.launched.listener, self.decide_syscall)
            self.scratch.counts_files = True
            self.table.selector.register(notifier.descriptor, selectors.EVENT_READ, lambda events: notifier.answer())
        self.channel.send(self.hello())
        while True:
            for key, events in self.table.selector.select(self.select_timeout()):
                key.data(events)
            self.enforce_deadlines()
            self.start_queued()
            self.table.sweep()

    def hello(self) -> dict[str, object]:
        tier, missing, parts = self.launched.tier, self.launched.missing, self.launched.parts
        return {"pid": os.getpid(), "zygote": self.zygote.pid, "tier": tier, "missing": missing, "parts": parts}

    def select_timeout(self) -> float:
        """Return the seconds until a deadline must be checked even if nothing happens."""
        if not self.jobs:
            return IDLE_SECONDS
        return max(0.0, min(1.0, min(process.deadline for process in self.jobs) - time.monotonic()))

    def enforce_deadlines(self) -> None:
        now = time.monotonic()
        for process in [process for process in self.jobs if process.deadline <= now]:
            process.deadline = now + START_SECONDS
            self.check_deadline(process, now)

    def check_deadline(self, process: Process, now: float) -> None:
        if process.phase is Phase.STARTING:
            self.fail_fork(process)
        elif not self.table.is_socket_watched(process):
            self.kill_with_verdict(process, verdicts.CRASHED)
        elif process.is_out_of_time(self.limits, now):
            self.kill_with_verdict(process, verdicts.TIMEOUT)

    # -- the client ---------------------------------------------------------------------------------------------

    def on_client(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self.select_client(self.channel.flush())
        if events & selectors.EVENT_READ:
            for request_id, codes in self.channel.receive():
                self.admit(StepRequest(id=request_id, codes=tuple(codes), keys=prefix_keys(tuple(codes))))

    def admit(self, request: StepRequest) -> None:
        """Answer pure arithmetic at once. Queue everything else to be run."""
        max_bytes = self.limits.output_bytes
        printed = arithmetic.evaluate(request.codes, max_bytes) if self.limits.evaluate_arithmetic else None
        if printed is None:
            self.scheduler.queue.append(request)
        else:
            self.answer(request, verdicts.OK, printed.encode("ascii"))  # it knows no other characters

    def select_client(self, all_sent: bool) -> None:
        events = selectors.EVENT_READ | (0 if all_sent else selectors.EVENT_WRITE)
        self.table.selector.modify(self.channel.sock, events, self.on_client)

    def answer(self, request: StepRequest, verdict: bytes, body: bytes) -> None:
        all_sent = self.channel.send([request.id, verdict.decode("latin-1"), body.decode("utf-8", "replace")])
        if not all_sent:
            self.select_client(False)

    # -- system calls of steps ----------------------------------------------------------------------------------

    def decide_syscall(self, request: SyscallRequest) -> int:
        """Grant a fork only where one was ordered, threads and files up to their limits.

        Return 0, or the errno of the refusal.
        """
        process = self.table.by_pid.get(request.thread) or self.table.by_pid.get(process_of(request.thread))
        if process is None:  # it may have said hello in the meantime
            self.read_starting_processes()
            process = self.table.by_pid.get(process_of(request.thread))
        if process is None or process.phase is Phase.KILLED:
            return errno.EPERM
        if request.kind is SyscallKind.FORK:
            if not process.granted_forks:
                return errno.EPERM
            process.granted_forks -= 1
            return 0
        if request.kind is SyscallKind.THREAD:
            return 0 if count_threads(process.pid) < self.limits.threads else errno.EAGAIN
        process.files_created += 1
        return 0 if process.files_created <= self.limits.scratch_files else errno.ENOSPC

    def read_starting_processes(self) -> None:
        for process in [process for process in self.jobs if process.phase is Phase.STARTING]:
            self.on_socket(process, selectors.EVENT_READ)

    # -- starting jobs ------------------------------------------------------------------------------------------

    def start_queued(self) -> None:
        while self.scheduler.queue and self.scratch.free and len(self.jobs) < self.limits.concurrency:
            job = self.scheduler.next_job()
            if job is not None:
                self.start(job)

    def start(self, job: ForkJob) -> None:
        """Fork the job's base. The child finds its job on its socket."""
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        child = Process(sock=ours, key=job.key, token=os.urandom(16), deadline=time.monotonic() + START_SECONDS)
        child.scratch = self.scratch.acquire()
        message = {"codes": job.codes, "cwd": child.scratch, "own_group": self.unconfined}
        child.outbox += child.token + encode_frame(message)
        self.jobs[child] = job
        self.table.watch_socket(child)
        try:
            job.base.order_fork(theirs)
        except OSError:
            theirs.close()
            self.fail_fork(child)
            return
        theirs.close()
        self.table.flush(child)

    def fail_fork(self, child: Process) -> None:
        """End a fork that did not come about, and its base. Try its requests again, a few times.

        Raise ServerFailed where the base is the zygote.
        """
        job = self.jobs.pop(child)
        if child.pidfd >= 0:
            child.kill()
        self.release(child)
        if job.base is self.zygote:
            raise ServerFailed("the interpreter does not fork")
        self.kill_with_verdict(job.base, b"")
        for request in self.scheduler.retry(job):
            self.answer(request, verdicts.CRASHED, b"")

    # -- what processes write -----------------------------------------------------------------------------------

    def on_socket(self, process: Process, events: int) -> None:
        if process not in self.table.processes:  # released by an earlier event of the same round
            return
        if process.phase is Phase.KILLED:
            self.table.unwatch_socket(process)
            return
        if events & selectors.EVENT_WRITE:
            self.table.flush(process)
        if not events & selectors.EVENT_READ:
            return
        try:
            is_closed = process.read(self.limits.output_bytes + FRAME_BYTES)
            self.handle_messages(process)
        except Violation:
            self.on_violation(process)
            return
        if is_closed and process in self.table.processes:
            self.on_hangup(process)

    def on_violation(self, process: Process) -> None:
        """Kill a process that wrote what no honest one writes. Its job is answered when it is dead."""
        if process.phase is Phase.STARTING and (not process.pid or process.pid in self.table.by_pid):
            self.fail_fork(process)  # its base wrote in its place: nothing would report its death
            return
        if process.phase is Phase.STARTING:  # it wrote more than its hello before that was read
            process.phase = Phase.RUNNING
            self.table.watch_death(process)
        self.kill_with_verdict(process, verdicts.FORBIDDEN)

    def on_hangup(self, process: Process) -> None:
        """Give a process that closed its socket HANGUP_SECONDS to die: it is dying, or it closed what it needs."""
        if process.phase is Phase.STARTING:
            self.fail_fork(process)
            return
        self.table.unwatch_socket(process)
        process.deadline = min(process.deadline, time.monotonic() + HANGUP_SECONDS)

    def handle_messages(self, process: Process) -> None:
        """Act on what a process wrote. Raise Violation where no honest one writes that."""
        if process.phase is Phase.STARTING and process.pid:
            if not process.take_hello() or process.pid in self.table.by_pid:
                raise Violation("did not say hello as a new process")
            process.phase = Phase.RUNNING
            process.own_group = self.unconfined
            process.start_clock(self.limits, len(self.jobs[process].codes))
            self.table.watch_death(process)
        if process.phase is Phase.RUNNING:
            result = process.take_result(self.limits.output_bytes + FRAME_BYTES)
            if result is not None:
                self.finish(process, *result)
        elif process.phase is Phase.IDLE:
            process.take_confirmations()
            if not process.unconfirmed_forks and process is not self.zygote:
                process.freeze()

    # -- endings ------------------------------------------------------------------------------------------------

    def kill_with_verdict(self, process: Process, verdict: bytes) -> None:
        """Kill a process. Its job, if it has one, is answered with ``verdict`` once the process is dead."""
        if process in self.jobs:
            self.jobs[process].verdict = verdict
        self.scheduler.states.drop(process)
        process.kill()

    def on_death(self, process: Process) -> None:
        if process not in self.table.processes:
            return
        if process is self.zygote:
            raise ServerFailed("the interpreter died")
        if process.phase is Phase.RUNNING:
            try:
                process.read(self.limits.output_bytes + FRAME_BYTES)
                self.handle_messages(process)
            except Violation:
                self.kill_with_verdict(process, verdicts.FORBIDDEN)
        process.reap()
        if process in self.jobs:
            self.finish(process, self.death_verdict(process), b"")
        self.release(process)

    def release(self, process: Process) -> None:
        self.scheduler.states.drop(process)
        self.scratch.release(process)
        self.table.remove(process)

    def death_verdict(self, process: Process) -> bytes:
        job = self.jobs[process]
        if job.verdict:
            return job.verdict
        out_of_cpu_time = os.WIFSIGNALED(process.status) and os.WTERMSIG(process.status) == signal.SIGXCPU
        return verdicts.TIMEOUT if out_of_cpu_time else verdicts.CRASHED

    def finish(self, process: Process, verdict: bytes, body: bytes) -> None:
        """End the job of ``process``: keep or kill the process, then answer the request or resume those that waited."""
        job = self.jobs.pop(process)
        self.scheduler.replay_costs.record(job.base.key, job.key, process.cpu_used())
        kept = verdict == verdicts.OK and process.phase is Phase.RUNNING and self.keep(process)
        if not kept:
            process.kill()
        if job.request is not None:
            self.answer(job.request, verdict, body)
            return
        ended_well = verdict in verdicts.SUCCESSFUL
        self.scheduler.end_rebuild(job, ended_well=ended_well, kept=kept)
        if not ended_well:
            for request in reversed(job.waiting):
                self.answer(request, verdict, body)

    def keep(self, process: Process) -> bool:
        """Keep the finished process as a live state, where a fork of it equals a replay and is cheaper.

        Return True if it is kept.
        """
        if not self.scheduler.is_worth_keeping(process.key):
            return False
        if not process.is_keepable() or self.scratch.has_files(process):
            return False
        process.phase = Phase.IDLE
        process.freeze()
        self.scratch.release(process)
        self.scheduler.states.add(process)
        for state in self.scheduler.states.evict():
            state.kill()
        return process.phase is Phase.IDLE
