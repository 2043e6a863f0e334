"""What the rollouts of one tree share while they are under way: unobserved visits and expansions. Knows no tree."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class InflightRollouts:
    """``unobserved``: O of WU-UCT (arXiv 1810.11755), the visits of a node whose value is still to come, by index.

    ``expansions``: each expansion that a node gets, running or over, by index and by how many came before it. A rollout
    that is ``alone`` shares none.
    """

    unobserved: Counter[int] = field(default_factory=Counter)
    expansions: dict[tuple[int, int], asyncio.Future[Any]] = field(default_factory=dict)
    alone: bool = False

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

    async def once(self, index: int, draws: int, expansion: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Expand a node that was expanded ``draws`` times, or wait for the rollout that began to. Whoever waits gets the
        error too, if there is one."""
        if self.alone:
            await expansion()
            return
        if (index, draws) not in self.expansions:
            self.expansions[index, draws] = asyncio.ensure_future(expansion())
        expanded = self.expansions[index, draws]
        await asyncio.shield(expanded)  # a rollout that is cancelled takes it from none of the others
