"""Which engine a request goes to, and which engines are out. Pure asyncio: knows no Ray and no request.

A key (a problem's id) has an order of preference over the lanes by rendezvous hashing, so a tree's requests meet
the prefix cache that its earlier ones filled. When the preferred lane is full, or well ahead of the others, the next in
order takes over (consistent hashing with bounded loads, arXiv 1608.01350), then the least loaded one. How much room a
lane has is said by the engine behind it (engine_pool.py).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from search.seeds import derive

Handle = TypeVar("Handle")
AHEAD, SLACK = 1.1, 8  # a lane may have so many times the mean, and so many sequences more
REMEMBERED = 1 << 13  # keys; a tree asks again and again


class Replica(Generic[Handle]):
    """One engine as its caller sees it: ``busy`` of ``room`` sequences; ``up`` while it answers."""

    __slots__ = ("busy", "handle", "name", "room", "up")

    def __init__(self, handle: Handle, name: str, room: int) -> None:
        self.handle, self.name, self.room = handle, name, room
        self.busy = 0
        self.up = True

    def fits(self, size: int) -> bool:
        """Whether it takes a request of so many sequences; an engine with nothing to do takes any."""
        return self.up and (not self.busy or self.busy + size <= self.room)


@dataclass(eq=False, slots=True)
class Waiter(Generic[Handle]):
    """A request in the queue, and the lane that it is given."""

    key: str
    size: int
    lane: asyncio.Future[Replica[Handle]]


@lru_cache(REMEMBERED)
def preference(key: str, names: tuple[str, ...]) -> tuple[int, ...]:
    """Indices of ``names`` in the order in which ``key`` prefers them; losing one name moves only its own keys."""
    return tuple(sorted(range(len(names)), key=lambda index: derive(key, names[index]), reverse=True))


class Router(Generic[Handle]):
    """Hands out room on lanes, first come first served, and makes callers wait while all lanes are full or out."""

    def __init__(self, lanes: Sequence[Replica[Handle]]) -> None:
        if not lanes:
            raise ValueError("a pool needs at least one engine, got none")
        self.lanes = list(lanes)
        self._names = tuple(lane.name for lane in lanes)
        self._queue: deque[Waiter[Handle]] = deque()

    @property
    def busy(self) -> int:
        """Sequences on all lanes."""
        return sum(lane.busy for lane in self.lanes)

    @property
    def waiting(self) -> int:
        """Sequences that nobody has room for yet."""
        return sum(waiter.size for waiter in self._queue if not waiter.lane.done())

    def take_now(self, key: str, size: int = 1) -> Replica[Handle] | None:
        """Room for ``size`` sequences on a lane, where there is some and nobody waits for it."""
        if any(not waiter.lane.done() for waiter in self._queue):
            return None
        lane = self._choose(key, size)
        if lane is not None:
            lane.busy += size
        return lane

    async def take(self, key: str, size: int = 1) -> Replica[Handle]:
        """Room on a lane; give it back with ``give``. Cancel to stop waiting."""
        waiter = Waiter(key, size, asyncio.get_running_loop().create_future())
        self._queue.append(waiter)
        self.serve()
        try:
            return await waiter.lane
        except asyncio.CancelledError:
            if not waiter.lane.cancelled():
                self.give(waiter.lane.result(), size)  # it was given room in the moment it left
            raise

    def give(self, lane: Replica[Handle], size: int = 1) -> None:
        lane.busy -= size
        self.serve()

    def down(self, lane: Replica[Handle]) -> None:
        """The lane does not answer: no request goes there until ``back``."""
        lane.up = False

    def back(self, lane: Replica[Handle]) -> None:
        lane.up = True
        self.serve()

    def serve(self) -> None:
        """Give room to those who wait, in order, as far as it goes; to be called when a lane has got more."""
        while self._queue:
            first = self._queue[0]
            if not first.lane.done():
                lane = self._choose(first.key, first.size)
                if lane is None:
                    return
                lane.busy += first.size
                first.lane.set_result(lane)
            self._queue.popleft()

    def _choose(self, key: str, size: int) -> Replica[Handle] | None:
        """The first or the second lane in the key's order, if it has room and not so much more than the others that they
        would wait for it in the end; else the least loaded one that has room."""
        if len(self.lanes) == 1:
            return self.lanes[0] if self.lanes[0].fits(size) else None
        loads = [lane.busy for lane in self.lanes if lane.up]
        most = SLACK + AHEAD * sum(loads) / max(1, len(loads))
        for index in preference(key, self._names)[:2]:
            if self.lanes[index].busy <= most and self.lanes[index].fits(size):
                return self.lanes[index]
        free = [lane for lane in self.lanes if lane.fits(size)]
        return min(free, key=lambda lane: lane.busy / lane.room, default=None)
