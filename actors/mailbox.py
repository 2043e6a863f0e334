"""Many small requests to one actor, over a connection: a call of Ray costs several times as much at both ends.

Ray places the actor, says where it listens, and starts it again; letters and answers never pass through Ray. What
gathers in one turn of the event loop goes out together. Knows neither engines nor executors.

    caller: ask ──> outbox ──frames──> one task a letter              actor
            future <── answers <──frames── ready, as each of them ends
            heard  <── load    <──┘  what the actor has in hand for others, when that has changed
            all who wait are told <──── the connection ended ────> work for the caller is stopped
"""

from __future__ import annotations

import asyncio
import math
import pickle
import struct
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from actors.errors import ActorLost, RequestFailed
from actors.wire import Address, Line, connect, listen

LETTER = struct.Struct("!QI")  # in front of a letter: its number, and how much work it is; a number alone withdraws it
ANSWER = struct.Struct("!Q?")  # in front of an answer: its letter's number, and whether it went well
LOAD = struct.Struct("!Q?QI")  # what stands in place of an answer to the letter 0, which there is not


@dataclass(frozen=True, slots=True)
class Load:
    """What an actor has in hand for others than the one it answers: the sizes of their letters, and how many they are."""

    held: int = 0
    callers: int = 0


@dataclass(eq=False, slots=True)
class Box:
    """What an actor does for one caller: tasks under way with the sizes of their letters, and answers to be sent."""

    under_way: dict[int, tuple[asyncio.Task[None], int]] = field(default_factory=dict)
    ready: list[bytes] = field(default_factory=list)
    held: int = 0
    stirred: bool = False
    told: bytes = b""  # what its caller knows of the others

    def take(self, number: int) -> asyncio.Task[None] | None:
        """The letter is no longer under way; None where it was not."""
        task, size = self.under_way.pop(number, (None, 0))
        self.held -= size
        return task


class Mailbox:
    """The actor's end: a base class of actors whose methods are asked by letter."""

    def __init__(self) -> None:
        self._boxes: defaultdict[Line, Box] = defaultdict(Box)
        self._listening: asyncio.Task[tuple[asyncio.Server, Address]] | None = None

    async def receive(self) -> Address:
        """Where letters go. They are worked on in the event loop of the first such call."""
        if self._listening is None:
            self._listening = asyncio.ensure_future(listen(self._take_in, self._forget))
        return (await self._listening)[1]

    def _take_in(self, caller: Line, letter: bytes) -> None:
        box = self._boxes[caller]
        number, size = LETTER.unpack_from(letter)
        if len(letter) > LETTER.size:
            box.under_way[number] = asyncio.ensure_future(self._answer(caller, box, number, letter)), size
            box.held += size
        elif (task := box.take(number)) is not None:
            task.cancel()

    def _forget(self, caller: Line) -> None:
        """The caller is gone: nobody waits for what is done for it."""
        for task, _ in self._boxes.pop(caller, Box()).under_way.values():
            task.cancel()

    async def _answer(self, caller: Line, box: Box, number: int, letter: bytes) -> None:
        try:
            method, arguments = pickle.loads(memoryview(letter)[LETTER.size :])
            answer = ANSWER.pack(number, True) + pickle.dumps(await getattr(self, method)(*arguments))
        except Exception as error:  # noqa: BLE001 the boundary of a letter: its sender gets the error
            answer = ANSWER.pack(number, False) + pickle.dumps(portable(error))
        if box.take(number) is not None:
            box.ready.append(answer)
            if not box.stirred:
                box.stirred = True
                asyncio.get_running_loop().call_soon(self._send_answers, caller, box)

    def _send_answers(self, caller: Line, box: Box) -> None:
        box.stirred = False
        if caller in self._boxes:
            others = [other.held for other in self._boxes.values() if other is not box and other.under_way]
            load = LOAD.pack(0, True, sum(others), len(others))
            caller.write(box.ready if load == box.told else [load, *box.ready])
            box.told = load
            box.ready.clear()


def portable(error: Exception) -> Exception:
    """The error itself where it is one of ours, which the caller knows; else RequestFailed in its words."""
    if type(error).__module__.split(".")[0] in ("actors", "search"):
        return error
    return RequestFailed(f"{type(error).__name__}: {error}")


class Correspondent:
    """The caller's end of one actor. Belongs to one asyncio loop; ``close`` it where that outlives it.

    ``heard`` is told how busy the actor is with others, before the answers that came with it are handed out.
    """

    def __init__(self, handle: Any, heard: Callable[[Load], None] | None = None) -> None:
        self.handle, self._heard = handle, heard
        self._sent = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._outbox: dict[int, bytes] = {}
        self._line: Line | None = None
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

    def _deliver(self, _: Line, answer: bytes) -> None:
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

    def _hung_up(self, line: Line) -> None:
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
