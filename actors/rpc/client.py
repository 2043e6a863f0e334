"""The caller's end of a connection to one actor."""

from __future__ import annotations

import asyncio
import math
import pickle
from collections.abc import Callable
from typing import Any

from actors.errors import ActorLost, RequestFailed
from actors.rpc.server import ANSWER, LETTER, LOAD, Load
from actors.rpc.transport import Connection, connect


class RpcClient:
    """The caller's end of one actor. Belongs to one asyncio loop; ``close`` it where that outlives it.

    ``heard`` is told how busy the actor is with others, before the answers that came with it are handed out.
    """

    def __init__(self, handle: Any, heard: Callable[[Load], None] | None = None) -> None:
        self.handle, self._heard = handle, heard
        self._sent = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._outbox: dict[int, bytes] = {}
        self._line: Connection | None = None
        self._opening: asyncio.Task[None] | None = None
        self._stirred = False

    async def ask(self, method: str, *arguments: Any, size: int = 1, within: float = math.inf) -> Any:
        """What the actor's method answers, or raises. Ray's errors where the actor is not there, ActorLost where it went
        before it answered, Unreachable where the network lets only Ray through, TimeoutError after ``within`` seconds.

        The work is stopped when nobody waits for it any more. ``size`` is how much work it is, for the actor's Load.
        """
        loop = asyncio.get_running_loop()
        self._sent += 1
        number, future = self._sent, loop.create_future()
        # A timer of the loop costs a third of asyncio.timeout.
        late = loop.call_later(within, _expire, future) if within < math.inf else None
        self._outbox[number] = LETTER.pack(number, size) + pickle.dumps((method, arguments))
        self._waiting[number] = future
        self._stir()
        try:
            return await future
        finally:
            if late is not None:
                late.cancel()
            if self._waiting.pop(number, None) is not None and self._outbox.pop(number, None) is None:
                self._outbox[number] = LETTER.pack(number, 0)
                self._stir()

    def close(self) -> None:
        """Hang up. What is still under way is stopped, and who waits for it is told."""
        line, self._line = self._line, None
        if self._opening is not None:
            self._opening.cancel()
        if line is not None:
            line.close()
        self._lose(ActorLost("this end hung up"))

    def _stir(self) -> None:
        """Have what gathers go out at the end of this turn of the loop, or as soon as there is a line."""
        if self._line is None:
            if self._opening is None:
                self._opening = asyncio.get_running_loop().create_task(self._open())
        elif not self._stirred:
            self._stirred = True
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        self._stirred = False
        if self._line is not None:
            self._line.write(self._outbox.values())
            self._outbox.clear()

    async def _open(self) -> None:
        try:
            self._line = await connect(await self.handle.receive.remote(), self._deliver, self._hung_up)
        except Exception as error:  # noqa: BLE001 the boundary: all who wait get it, none may hang
            self._lose(error)
        else:
            self._send()
        finally:
            self._opening = None

    def _deliver(self, _: Connection, answer: bytes) -> None:
        number, well = ANSWER.unpack_from(answer)
        if not number and self._heard is not None:
            self._heard(Load(*LOAD.unpack(answer)[2:]))
        future = self._waiting.pop(number, None)
        if future is None or future.done():
            return
        try:
            value = pickle.loads(memoryview(answer)[ANSWER.size :])
        except Exception as error:  # noqa: BLE001 whatever an answer's own classes raise: its sender is told
            well, value = False, RequestFailed(f"the answer cannot be read: {type(error).__name__}: {error}")
        if well:
            future.set_result(value)
        else:
            future.set_exception(value)

    def _hung_up(self, line: Connection) -> None:
        if line is self._line:
            self._line = None
            self._lose(ActorLost("the connection ended"))

    def _lose(self, error: Exception) -> None:
        """The actor is gone, or the way to it, and with it all that it was asked."""
        waiting, self._waiting = self._waiting, {}
        self._outbox.clear()
        for future in waiting.values():
            if not future.done():
                future.set_exception(error)


def _expire(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())
