"""Two calls at once: both run, and errors of either are raised."""

from __future__ import annotations

import threading

import pytest

from search.concurrency import run_both


def fail(error: BaseException) -> None:
    raise error


def test_both_run_at_once() -> None:
    barrier = threading.Barrier(2, timeout=10)
    assert run_both(lambda: (barrier.wait(), "first")[1], lambda: (barrier.wait(), "second")[1]) == ("first", "second")


def test_an_error_of_the_second_is_raised_when_the_first_is_done() -> None:
    done: list[int] = []
    with pytest.raises(KeyError, match="second"):
        run_both(lambda: done.append(1), lambda: fail(KeyError("second")))
    assert done == [1]


def test_an_error_of_the_first_waits_for_nobody() -> None:
    never = threading.Event()
    with pytest.raises(KeyError, match="first"):
        run_both(lambda: fail(KeyError("first")), lambda: never.wait(60))
    never.set()
