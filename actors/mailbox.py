"""Many small requests to one actor, in few calls: letters go out in bundles and answers come back in bundles.

A call of Ray costs about a millisecond at both ends, whatever it carries. Each answer still travels as soon as it is
there: a bundle waits for no letter but for a moment (GATHER_S). Knows neither engines nor executors.

    caller: ask ──> outbox ──bundle──> exchange ──> one task a letter        actor
            future <── answers <──bundle── ready <── as each of them ends
            heard  <── load    <──┘  what the actor has in hand for others
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.errors import RequestFailed

GATHER_S = 0.01  # how long a first letter, and a first answer, wait for company, where there is much of it
COMPANY = 32  # letters under way from which on there is much
FORGET_S = 3600.0  # a box that nobody looked into for so long belongs to a caller that is gone


@dataclass(frozen=True, slots=True)
class Letter:
    """A request: the actor's method, its arguments, and how much work it is (for an engine: sequences)."""

    id: int
    method: str
    arguments: tuple[Any, ...]
    size: int = 1


Answer = tuple[int, bool, Any]  # the letter's id, whether it went well, and what came of it: a value or an exception


@dataclass(frozen=True, slots=True)
class Load:
    """What an actor has in hand for others than the one it answers: the sizes of their letters, and how many they are."""

    held: int = 0
    callers: int = 0


@dataclass(frozen=True, slots=True)
class Bundle:
    """Answers, and how busy the actor was when they left."""

    answers: list[Answer]
    load: Load


@dataclass(eq=False)
class Box:
    """What an actor does for one caller: tasks under way with the sizes of their letters, and answers to be fetched."""

    under_way: dict[int, tuple[asyncio.Task[None], int]] = field(default_factory=dict)
    ready: list[Answer] = field(default_factory=list)
    turns: int = 0
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    seen: float = field(default_factory=time.monotonic)


class Mailbox:
    """The actor's end: a base class of actors whose methods are asked by letter."""

    def __init__(self) -> None:
        self._boxes: dict[str, Box] = {}

    async def exchange(self, caller: str, letters: Sequence[Letter], withdrawn: Sequence[int] = ()) -> Bundle:
        """Take letters in, stop work on withdrawn ones, and return what is ready: at once where the caller's next
        exchange has come meanwhile, else as soon as there is anything."""
        box = self._boxes.setdefault(caller, Box())
        for number in withdrawn:
            if number in box.under_way:
                box.under_way.pop(number)[0].cancel()
        for letter in letters:
            box.under_way[letter.id] = asyncio.ensure_future(self._work(box, letter)), letter.size
        box.turns += 1
        turn = box.turns
        box.stirred.set()
        await self._wait(box, turn)
        answers, box.ready = box.ready, []
        box.seen = time.monotonic()
        self._tidy(caller, box)
        return Bundle(answers, self._others(box))

    def _others(self, box: Box) -> Load:
        others = [other for other in self._boxes.values() if other is not box and other.under_way]
        return Load(sum(size for other in others for _, size in other.under_way.values()), len(others))

    async def _wait(self, box: Box, turn: int) -> None:
        while box.turns == turn and box.under_way and not box.ready:
            box.stirred.clear()
            await box.stirred.wait()
        if box.turns == turn and box.under_way:
            await asyncio.sleep(patience(len(box.under_way)))

    async def _work(self, box: Box, letter: Letter) -> None:
        try:
            answer: Answer = (letter.id, True, await getattr(self, letter.method)(*letter.arguments))
        except Exception as error:  # noqa: BLE001 the boundary of a letter: its sender gets the error
            answer = (letter.id, False, portable(error))
        if box.under_way.pop(letter.id, None) is not None:
            box.ready.append(answer)
            box.stirred.set()

    def _tidy(self, caller: str, box: Box) -> None:
        """Drop the box where it is empty, and boxes of callers that are gone."""
        if not box.under_way and not box.ready:
            self._boxes.pop(caller, None)
        for name, old in list(self._boxes.items()):
            if box.seen - old.seen > FORGET_S and not old.under_way:
                del self._boxes[name]


def patience(letters: int) -> float:
    """How long to wait for company (s): the fewer letters are under way, the less of it will come."""
    return GATHER_S * min(1.0, letters / COMPANY)


def portable(error: Exception) -> Exception:
    """The error itself where it is one of ours, which the caller knows; else RequestFailed in its words."""
    if type(error).__module__.split(".")[0] in ("actors", "search"):
        return error
    return RequestFailed(f"{type(error).__name__}: {error}")


class Correspondent:
    """The caller's end of one actor. Belongs to one asyncio loop.

    ``heard`` is told how busy the actor is with others, before the answers that came with it are handed out.
    """

    def __init__(self, handle: Any, heard: Callable[[Load], None] | None = None) -> None:
        self.handle, self._heard = handle, heard
        self._name = uuid.uuid4().hex
        self._sent = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._outbox: list[Letter] = []
        self._withdrawn: list[int] = []
        self._exchanges = 0
        self._gathering = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, method: str, *arguments: Any, size: int = 1) -> Any:
        """What the actor's method answers, or raises. Ray's errors where the actor is lost before it answered.

        Cancelling it stops the work on it. ``size`` is how much work it is, for the actor's Load.
        """
        self._sent += 1
        letter, future = Letter(self._sent, method, arguments, size), asyncio.get_running_loop().create_future()
        self._waiting[letter.id] = future
        self._outbox.append(letter)
        self._stir()
        try:
            return await future
        finally:
            if self._waiting.pop(letter.id, None) is not None:
                self._withdraw(letter)

    def _withdraw(self, letter: Letter) -> None:
        if letter in self._outbox:
            self._outbox.remove(letter)
        else:
            self._withdrawn.append(letter.id)
            self._stir()

    def _stir(self) -> None:
        """Have a bundle go out soon."""
        if not self._gathering:
            self._gathering = True
            task = asyncio.get_running_loop().create_task(self._exchange())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _exchange(self) -> None:
        """Send what has gathered and hand out what comes back; go on for as long as somebody waits."""
        await asyncio.sleep(patience(len(self._waiting)))
        self._gathering = False
        letters, self._outbox = self._outbox, []
        withdrawn, self._withdrawn = self._withdrawn, []
        self._exchanges += 1
        try:
            bundle = await self.handle.exchange.remote(self._name, letters, withdrawn)
        except Exception as error:  # noqa: BLE001 the boundary: all who wait get it, none may hang
            self._lose(error)
        else:
            if self._heard is not None:
                self._heard(bundle.load)
            self._deliver(bundle.answers)
        finally:
            self._exchanges -= 1
        if self._waiting and not self._exchanges:
            self._stir()

    def _deliver(self, answers: list[Answer]) -> None:
        for number, well, value in answers:
            future = self._waiting.pop(number, None)
            if future is None or future.done():
                continue
            if well:
                future.set_result(value)
            else:
                future.set_exception(value)

    def _lose(self, error: Exception) -> None:
        """The actor is gone, and with it all that it was asked."""
        waiting, self._waiting = self._waiting, {}
        self._outbox.clear()
        self._withdrawn.extend(waiting)  # in case it is the way that was lost, and not the actor
        for future in waiting.values():
            if not future.done():
                future.set_exception(error)
