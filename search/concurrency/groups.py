"""Concurrent execution of coroutines and functions in which a failure ends the whole group."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, TypeVar

Result = TypeVar("Result")
First = TypeVar("First")
Second = TypeVar("Second")


async def gather_or_cancel(coroutines: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Return the results in the order of the coroutines.

    On the first error, or if this call is cancelled, the others are cancelled and awaited before it is raised.
    """
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        await cancel_all(tasks)
        raise


async def run_at_once(
    start: Callable[[int], Coroutine[Any, Any, None]], count: int, at_once: int, is_over: Callable[[], bool]
) -> None:
    """Run ``start(0)``, ``start(1)`` … ``start(count - 1)``, ``at_once`` of them at a time.

    Once ``is_over`` none begins, and those that run go on to their ends. The first error is raised; it cancels the others.
    None is left running when this returns or raises.
    """
    begun, running, done = 0, set[asyncio.Future[None]](), set[asyncio.Future[None]]()
    try:
        while True:
            while begun < count and len(running) < at_once and not is_over():
                running.add(asyncio.ensure_future(start(begun)))
                begun += 1
            if not running:
                break
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for finished in done:
                finished.result()
    finally:
        await cancel_all((*done, *running))


async def cancel_all(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel the unfinished tasks and wait until all have ended. Their exceptions are dropped."""
    pending = list(tasks)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


def run_both(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """Run ``first`` in this thread and ``second`` in another; return both results.

    If ``first`` raises, ``second`` is left to a daemon thread, which ends with the process. An error of ``second`` is
    raised after ``first`` has returned.
    """
    result: Future[Second] = Future()

    def work() -> None:
        try:
            result.set_result(second())
        except BaseException as error:  # noqa: BLE001 thread boundary: ``result`` raises it in the caller
            result.set_exception(error)

    Thread(target=work, name="run_both", daemon=True).start()
    return first(), result.result()


@contextmanager
def run_in_background(name: str, work: Callable[[Event], None], join_s: float | None = None) -> Iterator[None]:
    """Run ``work`` in a daemon thread during the block. At the block's end the event that it gets is set, and it is awaited.

    ``join_s``: for at most so long; None: until it returns.
    """
    stop = Event()
    thread = Thread(target=work, args=(stop,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(join_s)
