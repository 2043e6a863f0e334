"""Coroutines side by side, none of which outlives a failure of another. Knows nothing of what they do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

Result = TypeVar("Result")


async def together(coroutines: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """What the coroutines return, in their order. The first error is raised after all others are cancelled and over.

    Costs half of what asyncio.gather does; a search does this for every expansion.
    """
    every = list(coroutines)
    if len(every) < 2:
        return [await coroutine for coroutine in every]
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(coroutine) for coroutine in every]
    errors: list[BaseException] = []

    def look(task: asyncio.Task[Result]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            errors.append(error)
            for other in tasks:
                other.cancel()

    for task in tasks:
        task.add_done_callback(look)
    try:
        return [await task for task in tasks]
    except BaseException as error:
        await stop(tasks)
        if errors and not asyncio.current_task().cancelling():  # type: ignore[union-attr]
            raise errors[0] from error
        raise


async def stop(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel what still runs and wait until it is over; what these tasks raised is dropped."""
    every = list(tasks)
    for task in every:
        task.cancel()
    await asyncio.gather(*every, return_exceptions=True)
