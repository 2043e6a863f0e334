"""Coroutines side by side, none of which outlives a failure of another. Knows nothing of what they do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

Result = TypeVar("Result")


async def gather_or_cancel(coroutines: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """What the coroutines return, in their order. The first error is raised after all others are cancelled and over."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        await cancel_all(tasks)
        raise


async def cancel_all(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel what still runs and wait until it is over; what these tasks raised is dropped."""
    every = list(tasks)
    for task in every:
        task.cancel()
    await asyncio.gather(*every, return_exceptions=True)


First = TypeVar("First")


Second = TypeVar("Second")


def run_both(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """What both return. ``first`` runs in this thread; if it raises, nobody waits for ``second``, which the end of the
    process ends. What ``second`` raises is raised when ``first`` is done."""
    outcome: Future[Second] = Future()

    def work() -> None:
        try:
            outcome.set_result(second())
        except BaseException as error:  # noqa: BLE001 the boundary of a thread: raised where its result is asked for
            outcome.set_exception(error)

    Thread(target=work, name="run_both", daemon=True).start()
    return first(), outcome.result()
