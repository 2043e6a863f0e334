"""Which engine a request goes to, and which engines are out. Pure asyncio: knows no Ray and no request.

A key (a problem's id) has an order of preference over the lanes by rendezvous hashing, so a tree's requests meet
the prefix cache that its earlier ones filled. When the preferred lane is full the least loaded one takes over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from search.seeds import derive

Handle = TypeVar("Handle")


class Lane(Generic[Handle]):
    """One engine as its callers see it: ``busy`` of ``room`` places taken; ``up`` while it answers."""

    __slots__ = ("busy", "handle", "name", "room", "up")

    def __init__(self, handle: Handle, name: str, room: int) -> None:
        self.handle, self.name, self.room = handle, name, room
        self.busy = 0
        self.up = True

    @property
    def free(self) -> bool:
        return self.up and self.busy < self.room


def preference(key: str, names: Sequence[str]) -> list[int]:
    """Indices of ``names`` in the order in which ``key`` prefers them; losing one name moves only its own keys."""
    return sorted(range(len(names)), key=lambda index: derive(key, names[index]), reverse=True)


class Router(Generic[Handle]):
    """Hands out places on lanes, first come first served, and makes callers wait while all lanes are full or out."""

    def __init__(self, lanes: Sequence[Lane[Handle]]) -> None:
        if not lanes:
            raise ValueError("a pool needs at least one engine, got none")
        self.lanes = list(lanes)
        self._names = [lane.name for lane in lanes]
        self._queue: deque[asyncio.Future[None]] = deque()

    def take_now(self, key: str) -> Lane[Handle] | None:
        """A place on a lane, where there is one and nobody waits for one."""
        if any(not waiter.done() for waiter in self._queue):
            return None
        lane = self._choose(key)
        if lane is not None:
            lane.busy += 1
        return lane

    async def take(self, key: str) -> Lane[Handle]:
        """A place on a lane; give it back with ``give``. Cancel to stop waiting."""
        while (lane := self._choose(key)) is None:
            waiter = asyncio.get_running_loop().create_future()
            self._queue.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()  # the place that woke us is for the next in the queue
                raise
            finally:
                if not waiter.done():
                    waiter.cancel()
        lane.busy += 1
        return lane

    def give(self, lane: Lane[Handle]) -> None:
        lane.busy -= 1
        self._wake()

    def down(self, lane: Lane[Handle]) -> None:
        """The lane does not answer: no request goes there until ``back``."""
        lane.up = False

    def back(self, lane: Lane[Handle]) -> None:
        lane.up = True
        for _ in range(lane.room - lane.busy):
            self._wake()

    @contextmanager
    def placed(self, lane: Lane[Handle]) -> Iterator[Handle]:
        """Holds a taken place and gives it back whatever happens."""
        try:
            yield lane.handle
        finally:
            self.give(lane)

    def _choose(self, key: str) -> Lane[Handle] | None:
        if len(self.lanes) == 1:
            return self.lanes[0] if self.lanes[0].free else None
        first = self.lanes[preference(key, self._names)[0]]
        if first.free:
            return first
        free = [lane for lane in self.lanes if lane.free]
        return min(free, key=lambda lane: lane.busy / lane.room, default=None)

    def _wake(self) -> None:
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
