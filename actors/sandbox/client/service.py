"""The asyncio end of the service: many steps in flight, remembered results, a new service when one dies.

Starts the warden as a fresh process with one descriptor and an environment of constants. Knows nothing of what a step
may do; believes what the warden answers.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.sandbox.client.result import REPEATABLE, ExecResult, interpret
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import Limits, Tier, chain
from search.data import Outcome
from search.errors import UserError

FRAME = struct.Struct(">I")
ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 180.0
LONE_TRIES = 3
START_TRIES = 3
Key = bytes


class ServiceLost(ConnectionError):
    """The service process ended while it was needed."""


@dataclass(eq=False)
class Pending:
    """A step that waits for its answer."""

    id: int
    codes: tuple[str, ...]
    future: asyncio.Future[ExecResult]
    lone_tries: int = 0


class Service:
    """One warden process and the steps sent to it. Belongs to one event loop."""

    def __init__(self, config: ExecutorConfig) -> None:
        self.config = config
        self.limits = config.limits()
        self.cache_entries = config.cache_entries
        self.cache: OrderedDict[Key, ExecResult] = OrderedDict()
        self.shared: dict[Key, asyncio.Future[ExecResult]] = {}
        self.pending: dict[int, Pending] = {}
        self.counter = 0
        self.restarts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.hello: dict[str, Any] = {}
        self.open = asyncio.Event()
        self.keeper: asyncio.Task[None] | None = None
        self.failure: BaseException | None = None

    # -- life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Returns once the service takes steps. Raises UserError when it cannot start at all."""
        if self.keeper is None:
            self.keeper = asyncio.create_task(self._keep())
            self.keeper.add_done_callback(self._give_up)
        await self.open.wait()
        if self.failure is not None:
            raise self.failure

    def _give_up(self, keeper: asyncio.Task[None]) -> None:
        """The service is not coming back: whoever waits gets the reason."""
        if keeper.cancelled():
            return
        if self.process is not None and self.process.poll() is None:
            self._stop()
        self.failure = keeper.exception()
        self.open.set()
        for pending in self.pending.values():
            if not pending.future.done():
                pending.future.set_exception(self.failure or ServiceLost("closed"))
        self.pending.clear()

    async def close(self) -> None:
        """End the service and everything that runs in it."""
        if self.keeper is not None:
            self.keeper.cancel()
            await asyncio.gather(self.keeper, return_exceptions=True)
        for pending in self.pending.values():
            pending.future.cancel()
        self.pending.clear()

    @property
    def pid(self) -> int:
        return self.process.pid if self.process is not None else 0

    # -- steps --------------------------------------------------------------------------------------------------

    async def run(self, prefix: tuple[str, ...], code: str) -> ExecResult:
        """Run ``code`` after ``prefix``. Never raises for what the code does."""
        size = len(code.encode("utf-8", "surrogatepass"))
        if size > self.limits.code_bytes:
            return ExecResult(Outcome.SYNTAX_ERROR, f"SyntaxError: code longer than {self.limits.code_bytes} bytes")
        codes = (*prefix, code)
        key = chain(codes)[-1]
        if key in self.cache:
            self.cache.move_to_end(key)
            return self.cache[key]
        if key not in self.shared:
            self.shared[key] = asyncio.ensure_future(self._ask(key, codes))
            self.shared[key].add_done_callback(lambda _: self.shared.pop(key, None))
        return await asyncio.shield(self.shared[key])

    async def _ask(self, key: Key, codes: tuple[str, ...]) -> ExecResult:
        await self.start()
        self.counter += 1
        pending = Pending(self.counter, codes, asyncio.get_running_loop().create_future())
        self.pending[pending.id] = pending
        self._send(pending)
        result = await pending.future
        if result.outcome in REPEATABLE and self.cache_entries:
            self.cache[key] = result
            if len(self.cache) > self.cache_entries:
                self.cache.popitem(last=False)
        return result

    def _send(self, pending: Pending) -> None:
        body = json.dumps([pending.id, pending.codes]).encode()
        self.writer.write(FRAME.pack(len(body)) + body)

    # -- the service process ------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Start the service, read its answers, start it again when it dies."""
        stillborn = 0
        with tempfile.TemporaryDirectory(prefix="raystar-sandbox-", ignore_cleanup_errors=True) as scratch:
            while True:
                try:
                    await self._launch(scratch)
                except ServiceLost as error:
                    self._stop()
                    stillborn += 1
                    if stillborn == START_TRIES:
                        raise UserError("the sandbox service ends as soon as it starts: see its log") from error
                    continue
                stillborn = 0
                answers = asyncio.create_task(self._read_answers())
                recovery = asyncio.create_task(self._recover())
                try:
                    await answers
                finally:
                    self.open.clear()
                    recovery.cancel()
                    answers.cancel()
                    await asyncio.gather(recovery, answers, return_exceptions=True)
                    self._stop()
                    shutil.rmtree(scratch, ignore_errors=True)
                    os.makedirs(scratch, exist_ok=True)
                self.restarts += 1

    async def _launch(self, scratch: str) -> None:
        ours, theirs = socket.socketpair()
        self.process = start_warden(theirs, self.limits, scratch)
        theirs.close()
        ours.setblocking(False)
        self.reader, self.writer = await asyncio.open_connection(sock=ours, limit=1 << 26)
        try:
            hello = await asyncio.wait_for(self._read_frame(), START_SECONDS)
        except TimeoutError as error:
            self._stop()
            raise UserError(f"the sandbox service did not start within {START_SECONDS:.0f} s") from error
        if "failed" in hello:
            self._stop()
            raise UserError(f"the sandbox service did not start: {hello['failed']}")
        check_tier(self.config.require, Tier(hello["tier"]), hello["missing"])
        self.hello = hello

    def _stop(self) -> None:
        """Kill the service and all that is in its process group."""
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
            return json.loads(await self.reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ServiceLost from error

    async def _read_answers(self) -> None:
        """Until the service is gone."""
        while True:
            try:
                identity, letter, body = await self._read_frame()
            except ServiceLost:
                return
            pending = self.pending.pop(identity, None)
            if pending is not None and not pending.future.done():
                pending.future.set_result(interpret(letter, body, self.limits))

    async def _recover(self) -> None:
        """Run what was in flight again, one by one, so that a step that kills the service is known; then open."""
        for pending in list(self.pending.values()):
            if pending.lone_tries >= LONE_TRIES:
                self.pending.pop(pending.id, None)
                pending.future.set_result(interpret("c", "", self.limits))
                continue
            pending.lone_tries += 1
            self._send(pending)
            await asyncio.wait([pending.future])
        self.open.set()


def start_warden(sock: socket.socket, limits: Limits, scratch: str) -> subprocess.Popen[bytes]:
    """A fresh interpreter in a process group of its own, with one descriptor and an environment of constants."""
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
    """UserError where the isolation in force is below what is required, with the reasons and the remedy."""
    if tier.rank < required.rank:
        reasons = "; ".join(missing)
        raise UserError(
            f"executor.require is {required} but this machine gives {tier} ({reasons}); "
            f"mend that, or set executor.require: {tier} to run model-written code with less isolation"
        )
