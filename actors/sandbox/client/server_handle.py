"""Run a fork server process and send it steps with asyncio: many in flight, results cached, restarted when it dies.

The fork server starts as a fresh process with one descriptor and an environment of constants.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.sandbox import verdicts
from actors.sandbox.client.result import DETERMINISTIC, ExecResult, make_result
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.framing import FRAME, decode_message, encode_frame
from actors.sandbox.limits import Limits, Tier, prefix_keys
from search.data import Outcome
from search.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 180.0
MAX_SOLO_TRIES = 3  # of a step that was in flight when the fork server died
MAX_START_TRIES = 3
Key = bytes


class ServerLost(ConnectionError):
    """The fork server ended while it was needed."""


@dataclass(eq=False, kw_only=True)
class Pending:
    """A step that waits for its answer."""

    id: int
    codes: tuple[str, ...]
    future: asyncio.Future[ExecResult]
    solo_tries: int = 0


class ForkServerHandle:
    """One fork server process and the steps sent to it. Belongs to one event loop."""

    def __init__(self, config: ExecutorConfig) -> None:
        self.config = config
        self.limits = config.limits()
        self.cache_entries = config.cache_entries
        self.cache: OrderedDict[Key, ExecResult] = OrderedDict()
        self.shared: dict[Key, asyncio.Future[ExecResult]] = {}
        self.pending: dict[int, Pending] = {}
        self.last_id = 0
        self.restarts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.hello: dict[str, Any] = {}
        self.ready = asyncio.Event()
        self.supervisor: asyncio.Task[None] | None = None
        self.failure: BaseException | None = None

    # -- life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Return once the fork server takes steps. Raise UserError when it cannot start at all."""
        if self.supervisor is None:
            self.supervisor = asyncio.create_task(self._supervise())
            self.supervisor.add_done_callback(self._on_supervisor_end)
        await self.ready.wait()
        if self.failure is not None:
            raise self.failure

    def _on_supervisor_end(self, supervisor: asyncio.Task[None]) -> None:
        """Fail all pending steps with the reason for which the fork server does not come back."""
        if supervisor.cancelled():
            return
        if self.process is not None and self.process.poll() is None:
            self._stop()
        self.failure = supervisor.exception()
        self.ready.set()
        for pending in self.pending.values():
            if not pending.future.done():
                pending.future.set_exception(self.failure or ServerLost("closed"))
        self.pending.clear()

    async def close(self) -> None:
        """End the fork server and everything that runs in it."""
        if self.supervisor is not None:
            self.supervisor.cancel()
            await asyncio.gather(self.supervisor, return_exceptions=True)
        for pending in self.pending.values():
            pending.future.cancel()
        self.pending.clear()

    @property
    def pid(self) -> int:
        return self.process.pid if self.process is not None else 0

    # -- steps --------------------------------------------------------------------------------------------------

    async def run(self, prefix: tuple[str, ...], code: str) -> ExecResult:
        """Run ``code`` after ``prefix``. What the code does never raises."""
        codes = (*prefix, code)
        if any(len(part.encode("utf-8", "surrogatepass")) > self.limits.code_bytes for part in codes):
            return ExecResult(Outcome.SYNTAX_ERROR, f"SyntaxError: code longer than {self.limits.code_bytes} bytes")
        key = prefix_keys(codes)[-1]
        if key in self.cache:
            self.cache.move_to_end(key)
            return self.cache[key]
        if key not in self.shared:
            self.shared[key] = asyncio.ensure_future(self._request(key, codes))
            self.shared[key].add_done_callback(lambda _: self.shared.pop(key, None))
        return await asyncio.shield(self.shared[key])

    async def _request(self, key: Key, codes: tuple[str, ...]) -> ExecResult:
        await self.start()
        self.last_id += 1
        future: asyncio.Future[ExecResult] = asyncio.get_running_loop().create_future()
        pending = Pending(id=self.last_id, codes=codes, future=future)
        self.pending[pending.id] = pending
        self._send(pending)
        result = await pending.future
        if result.outcome in DETERMINISTIC and self.cache_entries:
            self.cache[key] = result
            if len(self.cache) > self.cache_entries:
                self.cache.popitem(last=False)
        return result

    def _send(self, pending: Pending) -> None:
        self.writer.write(encode_frame([pending.id, pending.codes]))

    # -- the process --------------------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Start the fork server, read its answers, start it again when it dies."""
        failed_starts = 0
        with tempfile.TemporaryDirectory(prefix="raystar-sandbox-", ignore_cleanup_errors=True) as scratch:
            while True:
                try:
                    await self._launch(scratch)
                except ServerLost as error:
                    self._stop()
                    failed_starts += 1
                    if failed_starts == MAX_START_TRIES:
                        raise UserError("the sandbox ends as soon as it starts: see its log") from error
                    continue
                failed_starts = 0
                answers = asyncio.create_task(self._read_answers())
                recovery = asyncio.create_task(self._recover())
                try:
                    await answers
                finally:
                    self.ready.clear()
                    recovery.cancel()
                    answers.cancel()
                    await asyncio.gather(recovery, answers, return_exceptions=True)
                    self._stop()
                    shutil.rmtree(scratch, ignore_errors=True)
                    os.makedirs(scratch, exist_ok=True)
                self.restarts += 1

    async def _launch(self, scratch: str) -> None:
        ours, theirs = socket.socketpair()
        self.process = start_fork_server(theirs, self.limits, scratch)
        theirs.close()
        ours.setblocking(False)
        self.reader, self.writer = await asyncio.open_connection(sock=ours, limit=1 << 26)
        try:
            hello = await asyncio.wait_for(self._read_frame(), START_SECONDS)
        except TimeoutError as error:
            self._stop()
            raise UserError(f"the sandbox did not start within {START_SECONDS:.0f} s") from error
        if "failed" in hello:
            self._stop()
            raise UserError(f"the sandbox did not start: {hello['failed']}")
        check_tier(self.config.required_tier, Tier(hello["tier"]), hello["missing"])
        self.hello = hello

    def _stop(self) -> None:
        """Kill the fork server and all that is in its process group."""
        self.writer.close()
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()

    async def _read_frame(self) -> Any:
        try:
            (size,) = FRAME.unpack(await self.reader.readexactly(FRAME.size))
            return decode_message(await self.reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ServerLost from error

    async def _read_answers(self) -> None:
        """Resolve pending steps until the fork server is gone."""
        while True:
            try:
                answer = await self._read_frame()
            except ServerLost:
                return
            match answer:
                case [int(request_id), str(verdict), str(body)]:
                    pending = self.pending.pop(request_id, None)
                case _:  # no answer of ours: start it afresh
                    return
            if pending is not None and not pending.future.done():
                pending.future.set_result(make_result(verdict.encode("latin-1", "replace"), body, self.limits))

    async def _recover(self) -> None:
        """Run again what was in flight, then open.

        The steps run one by one, so that one that kills the fork server is recognised. After MAX_SOLO_TRIES its
        outcome is CRASHED.
        """
        for pending in list(self.pending.values()):
            if pending.solo_tries >= MAX_SOLO_TRIES:
                self.pending.pop(pending.id, None)
                if not pending.future.done():
                    pending.future.set_result(make_result(verdicts.CRASHED, "", self.limits))
                continue
            pending.solo_tries += 1
            self._send(pending)
            await asyncio.wait([pending.future])
        self.ready.set()


def start_fork_server(sock: socket.socket, limits: Limits, scratch: str) -> subprocess.Popen[bytes]:
    """Start a fresh interpreter in a process group of its own, with one descriptor and an environment of constants."""
    return subprocess.Popen(
        [sys.executable, "-s", "-B", "-m", "actors.sandbox.server.main", str(sock.fileno()), limits.to_json(), scratch],
        env={"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
        cwd=str(ROOT),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[sock.fileno()],
        process_group=0,
    )


def check_tier(required: Tier, tier: Tier, missing: list[str]) -> None:
    """Raise UserError, with the reasons and the remedy, where the isolation in force is below what is required."""
    if tier.rank < required.rank:
        reasons = "; ".join(missing)
        raise UserError(
            f"executor.required_tier is {required} but this machine gives {tier} ({reasons}); "
            f"mend that, or set executor.required_tier: {tier} to run model-written code with less isolation"
        )
