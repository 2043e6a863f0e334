"""What the rollouts of one tree share while they are under way: unobserved visits and expansions. Knows no tree."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Flight:
    """``unobserved``: O of WU-UCT (arXiv 1810.11755), the visits of a node whose value is still to come, by index.

    ``expansions``: the one expansion that a node gets, running or over, by index.
    """

    unobserved: Counter[int] = field(default_factory=Counter)
    expansions: dict[int, asyncio.Future[Any]] = field(default_factory=dict)

    @contextmanager
    def walk(self) -> Iterator[Callable[[int], None]]:
        """A function that counts a node as visited by this rollout. All is taken back at the end, however it comes."""
        path: list[int] = []

        def enter(index: int) -> None:
            self.unobserved[index] += 1
            path.append(index)

        try:
            yield enter
        finally:
            self.unobserved.subtract(path)

    async def once(self, index: int, expansion: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Expand a node, or wait for the rollout that began to. Whoever waits gets the error too, if there is one."""
        if index not in self.expansions:
            self.expansions[index] = asyncio.ensure_future(expansion())
        await asyncio.shield(self.expansions[index])  # a rollout that is cancelled takes it from none of the others
