"""Choose the replica for each request, and keep callers waiting while all replicas are full or down. Pure asyncio.

Rendezvous hashing gives each key (a problem's id) an order over the replicas, so that the requests of one tree meet the
prefix cache that its earlier requests filled. Where the first replica is full, or well ahead of the others, the second
one serves (consistent hashing with bounded loads, arXiv 1608.01350), then the least loaded one. The pool sets the limit
of each replica (engine_pool.py).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from search.seeds import derive

Client = TypeVar("Client")  # what a replica is called through
# A replica that has more than LOAD_FACTOR times the mean plus LOAD_SLACK sequences is passed over.
LOAD_FACTOR, LOAD_SLACK = 1.1, 8
CACHED_KEYS = 1 << 13  # a tree sends many requests with one key


class Replica(Generic[Client]):
    """One engine as its caller sees it: ``inflight`` sequences of at most ``limit``; ``is_up`` while it responds."""

    __slots__ = ("client", "inflight", "is_up", "limit", "name")

    def __init__(self, client: Client, name: str, limit: int) -> None:
        self.client, self.name, self.limit = client, name, limit
        self.inflight = 0
        self.is_up = True

    def fits(self, size: int) -> bool:
        """Return whether there is room for ``size`` more sequences; an idle engine takes any request."""
        return self.is_up and (not self.inflight or self.inflight + size <= self.limit)


@dataclass(eq=False, slots=True)
class Waiter(Generic[Client]):
    """A queued request; ``replica`` resolves to the replica that it gets."""

    key: str
    size: int
    replica: asyncio.Future[Replica[Client]]


@lru_cache(CACHED_KEYS)
def rendezvous_order(key: str, names: tuple[str, ...]) -> tuple[int, ...]:
    """Return indices of ``names`` in the order in which ``key`` prefers them.

    Without one of the names only the keys that preferred it move.
    """
    return tuple(sorted(range(len(names)), key=lambda index: derive(key, names[index]), reverse=True))


class Router(Generic[Client]):
    """Grants room on replicas, first come first served."""

    def __init__(self, replicas: Sequence[Replica[Client]]) -> None:
        if not replicas:
            raise ValueError("a pool needs at least one engine, got none")
        self.replicas = list(replicas)
        self._names = tuple(replica.name for replica in replicas)
        self._queue: deque[Waiter[Client]] = deque()

    @property
    def inflight(self) -> int:
        """Sequences on all replicas."""
        return sum(replica.inflight for replica in self.replicas)

    @property
    def waiting(self) -> int:
        """Sequences in the queue."""
        return sum(waiter.size for waiter in self._queue if not waiter.replica.done())

    def try_acquire(self, key: str, size: int = 1) -> Replica[Client] | None:
        """Acquire room for ``size`` sequences, or return None where there is none or others wait for it."""
        if any(not waiter.replica.done() for waiter in self._queue):
            return None
        replica = self._choose(key, size)
        if replica is not None:
            replica.inflight += size
        return replica

    async def acquire(self, key: str, size: int = 1) -> Replica[Client]:
        """Wait for room for ``size`` sequences; ``release`` it afterwards. Cancel to stop waiting."""
        waiter = Waiter(key, size, asyncio.get_running_loop().create_future())
        self._queue.append(waiter)
        self.wake_waiters()
        try:
            return await waiter.replica
        except asyncio.CancelledError:
            if not waiter.replica.cancelled():
                self.release(waiter.replica.result(), size)  # cancelled after the room was granted
            raise

    def release(self, replica: Replica[Client], size: int = 1) -> None:
        replica.inflight -= size
        self.wake_waiters()

    def mark_down(self, replica: Replica[Client]) -> None:
        """Send no request to the replica until ``mark_up``."""
        replica.is_up = False

    def mark_up(self, replica: Replica[Client]) -> None:
        replica.is_up = True
        self.wake_waiters()

    def wake_waiters(self) -> None:
        """Grant room to the queue in order, as far as it goes. To be called when the limit of a replica has grown."""
        while self._queue:
            first = self._queue[0]
            if not first.replica.done():
                replica = self._choose(first.key, first.size)
                if replica is None:
                    return
                replica.inflight += first.size
                first.replica.set_result(replica)
            self._queue.popleft()

    def _choose(self, key: str, size: int) -> Replica[Client] | None:
        """Return the first or second replica in the key's order that has room and is not well ahead of the mean.

        A replica well ahead of the others would keep them waiting at the end. Where both are full or ahead, return the
        least loaded replica with room; None where there is none.
        """
        if len(self.replicas) == 1:
            return self.replicas[0] if self.replicas[0].fits(size) else None
        loads = [replica.inflight for replica in self.replicas if replica.is_up]
        bound = LOAD_SLACK + LOAD_FACTOR * sum(loads) / max(1, len(loads))
        for index in rendezvous_order(key, self._names)[:2]:
            if self.replicas[index].inflight <= bound and self.replicas[index].fits(size):
                return self.replicas[index]
        fitting = [replica for replica in self.replicas if replica.fits(size)]
        return min(fitting, key=lambda replica: replica.inflight / replica.limit, default=None)
