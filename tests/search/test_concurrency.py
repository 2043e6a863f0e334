"""Concurrent coroutines and functions: results in order, and errors that end the group."""

from __future__ import annotations

import asyncio
import threading

import pytest

from search.concurrency import gather_or_cancel, run_both


def fail(error: BaseException) -> None:
    raise error


def test_both_functions_run_concurrently() -> None:
    barrier = threading.Barrier(2, timeout=10)
    assert run_both(lambda: (barrier.wait(), "first")[1], lambda: (barrier.wait(), "second")[1]) == ("first", "second")


def test_error_of_second_is_raised_when_first_returned() -> None:
    done: list[int] = []
    with pytest.raises(KeyError, match="second"):
        run_both(lambda: done.append(1), lambda: fail(KeyError("second")))
    assert done == [1]


def test_error_of_first_is_raised_while_second_runs() -> None:
    never = threading.Event()
    with pytest.raises(KeyError, match="first"):
        run_both(lambda: fail(KeyError("first")), lambda: never.wait(60))
    never.set()


async def test_error_is_raised_after_the_others_are_cancelled() -> None:
    cancelled = []

    async def long() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append("long")

    async def broken() -> None:
        raise ConnectionError("lost")

    with pytest.raises(ConnectionError, match="lost"):
        await gather_or_cancel([long(), broken(), long()])
    assert cancelled == ["long", "long"]


async def test_results_are_in_the_order_of_the_coroutines() -> None:
    async def after(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    assert await gather_or_cancel(after(turns) for turns in (5, 0, 3)) == [5, 0, 3]
