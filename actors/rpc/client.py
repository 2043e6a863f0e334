"""Call the methods of an RpcServer actor over one connection."""

from __future__ import annotations

import asyncio
import math
import pickle
from collections.abc import Callable
from typing import Any

from actors.errors import ActorLost, RequestFailed
from actors.rpc.messages import LOAD_FRAME, REQUEST_HEADER, RESPONSE_HEADER, Load
from actors.rpc.transport import Connection, connect


class RpcClient:
    """The connection to one actor, opened by the first call and again after it was lost.

    Belongs to one asyncio loop. ``close`` it where the loop outlives it. ``on_load`` gets the actor's load by other
    callers, before the responses that came with it are resolved.
    """

    def __init__(self, actor: Any, on_load: Callable[[Load], None] | None = None) -> None:
        self.actor, self._on_load = actor, on_load
        self._last_id = 0
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._outgoing: dict[int, bytes] = {}
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._flush_scheduled = False

    async def call(self, method: str, *arguments: Any, size: int = 1, timeout_s: float = math.inf) -> Any:
        """Return what the actor's method returns, or raise what it raises.

        Raises Ray's errors where the actor is not running, ActorLost where it is lost before it responds, Unreachable
        where the network lets only Ray through, and TimeoutError after ``timeout_s``. A call that is cancelled or times
        out is cancelled in the actor too. ``size`` is the request's share of the actor's Load.
        """
        loop = asyncio.get_running_loop()
        self._last_id += 1
        request_id, future = self._last_id, loop.create_future()
        # A timer of the loop costs a third of asyncio.timeout.
        timer = loop.call_later(timeout_s, _expire, future) if timeout_s < math.inf else None
        self._outgoing[request_id] = REQUEST_HEADER.pack(request_id, size) + pickle.dumps((method, arguments))
        self._pending[request_id] = future
        self._schedule_flush()
        try:
            return await future
        finally:
            if timer is not None:
                timer.cancel()
            if self._pending.pop(request_id, None) is not None and self._outgoing.pop(request_id, None) is None:
                self._outgoing[request_id] = REQUEST_HEADER.pack(request_id, 0)
                self._schedule_flush()

    def close(self) -> None:
        """Close the connection. Pending calls raise ActorLost, and the actor cancels them."""
        connection, self._connection = self._connection, None
        if self._connecting is not None:
            self._connecting.cancel()
        if connection is not None:
            connection.close()
        self._fail_pending(ActorLost("the client closed the connection"))

    def _schedule_flush(self) -> None:
        """Send the outgoing frames at the end of this turn of the loop, or as soon as there is a connection."""
        if self._connection is None:
            if self._connecting is None:
                self._connecting = asyncio.get_running_loop().create_task(self._connect())
        elif not self._flush_scheduled:
            self._flush_scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._connection is not None:
            self._connection.write(self._outgoing.values())
            self._outgoing.clear()

    async def _connect(self) -> None:
        try:
            address = await self.actor.listen_address.remote()
            self._connection = await connect(address, self._resolve, self._on_close)
        except Exception as error:  # noqa: BLE001 the boundary: every pending call gets it, none may hang
            self._fail_pending(error)
        else:
            self._flush()
        finally:
            self._connecting = None

    def _resolve(self, _: Connection, frame: bytes) -> None:
        """Hand a response to the call that waits for it, or a load frame to ``on_load``."""
        request_id, succeeded = RESPONSE_HEADER.unpack_from(frame)
        if not request_id and self._on_load is not None:
            self._on_load(Load(*LOAD_FRAME.unpack(frame)[2:]))
        future = self._pending.pop(request_id, None)
        if future is None or future.done():
            return
        try:
            value = pickle.loads(memoryview(frame)[RESPONSE_HEADER.size :])
        except Exception as error:  # noqa: BLE001 whatever a response's own classes raise: its caller gets it
            succeeded, value = False, RequestFailed(f"the response cannot be read: {type(error).__name__}: {error}")
        if succeeded:
            future.set_result(value)
        else:
            future.set_exception(value)

    def _on_close(self, connection: Connection) -> None:
        if connection is self._connection:
            self._connection = None
            self._fail_pending(ActorLost("the connection ended"))

    def _fail_pending(self, error: Exception) -> None:
        pending, self._pending = self._pending, {}
        self._outgoing.clear()
        for future in pending.values():
            if not future.done():
                future.set_exception(error)


def _expire(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())
