"""State that concurrent rollouts of one tree share: unobserved visits ("virtual loss") and running expansions."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class InflightRollouts:
    """Rollouts of one tree that have not backed up a value yet.

    ``unobserved``: by node index, the visits whose value is still to come (O of WU-UCT, arXiv 1810.11755).
    ``expansions``: the expansions of all nodes, running or finished, by (node index, number of draws before).
    ``sequential``: one rollout runs at a time, so there is nothing to share.
    """

    unobserved: Counter[int] = field(default_factory=Counter)
    expansions: dict[tuple[int, int], asyncio.Future[Any]] = field(default_factory=dict)
    sequential: bool = False

    @contextmanager
    def descend(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that adds an unobserved visit to a node. All are removed when the block ends or fails."""
        path: list[int] = []

        def enter(index: int) -> None:
            self.unobserved[index] += 1
            path.append(index)

        try:
            yield enter
        finally:
            self.unobserved.subtract(path)

    async def run_shared(self, index: int, draws: int, expansion: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Run a node's expansion number ``draws``, or wait for the rollout that is already running it.

        Every waiting rollout raises the expansion's error. A cancelled rollout does not cancel the expansion.
        """
        if self.sequential:
            await expansion()
            return
        if (index, draws) not in self.expansions:
            self.expansions[index, draws] = asyncio.ensure_future(expansion())
        await asyncio.shield(self.expansions[index, draws])
