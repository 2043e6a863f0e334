"""Two calls at once, each in its own thread. Knows neither what they do nor what they use."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

First = TypeVar("First")
Second = TypeVar("Second")


def together(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """What both return. ``first`` runs in this thread; if it raises, nobody waits for ``second``, which the end of the
    process ends. What ``second`` raises is raised when ``first`` is done."""
    outcome: Future[Second] = Future()

    def work() -> None:
        try:
            outcome.set_result(second())
        except BaseException as error:  # noqa: BLE001 the boundary of a thread: raised where its result is asked for
            outcome.set_exception(error)

    Thread(target=work, name="together", daemon=True).start()
    return first(), outcome.result()
