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
import pickle
import struct
from collections import defaultdict
from dataclasses import dataclass, field

from actors.errors import RequestFailed
from actors.rpc.transport import Address, Connection, listen

LETTER = struct.Struct("!QI")  # in front of a letter: its number, and how much work it is; a number alone withdraws it
ANSWER = struct.Struct("!Q?")  # in front of an answer: its letter's number, and whether it went well
LOAD = struct.Struct("!Q?QI")  # what stands in place of an answer to the letter 0, which there is not


@dataclass(frozen=True, slots=True)
class Load:
    """What an actor has in hand for others than the one it answers: the sizes of their letters, and how many they are."""

    held: int = 0
    callers: int = 0


@dataclass(eq=False, slots=True)
class CallerState:
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


class RpcServer:
    """The actor's end: a base class of actors whose methods are asked by letter."""

    def __init__(self) -> None:
        self._boxes: defaultdict[Connection, CallerState] = defaultdict(CallerState)
        self._listening: asyncio.Task[tuple[asyncio.Server, Address]] | None = None

    async def receive(self) -> Address:
        """Where letters go. They are worked on in the event loop of the first such call."""
        if self._listening is None:
            self._listening = asyncio.ensure_future(listen(self._take_in, self._forget))
        return (await self._listening)[1]

    def _take_in(self, caller: Connection, letter: bytes) -> None:
        box = self._boxes[caller]
        number, size = LETTER.unpack_from(letter)
        if len(letter) > LETTER.size:
            box.under_way[number] = asyncio.ensure_future(self._answer(caller, box, number, letter)), size
            box.held += size
        elif (task := box.take(number)) is not None:
            task.cancel()

    def _forget(self, caller: Connection) -> None:
        """The caller is gone: nobody waits for what is done for it."""
        for task, _ in self._boxes.pop(caller, CallerState()).under_way.values():
            task.cancel()

    async def _answer(self, caller: Connection, box: CallerState, number: int, letter: bytes) -> None:
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

    def _send_answers(self, caller: Connection, box: CallerState) -> None:
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
