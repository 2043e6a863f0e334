"""Mark what a search does as spans, for whoever records them. Unless somebody does, a mark costs half a microsecond.

The spans of one tree, by strategies with rollouts:

    tree                    one try of a tree, from its first step to its answer
      rollout               one pass from the root to an end
        select              descend by UCT to a node that is to be expanded, or to the end
        expand              give a node its children
          queue             wait for room at an engine
          generate          a request to a policy, from the engine's or server's acceptance to its answer
          execute           a request to an executor
          grade             compare an answer with the reference
          score             a request to a reward model, which has its ``queue`` before it too
        back_up             add the value of the end along the path

Other strategies have ``tree`` and what lies below ``expand``. A recorder holds for the current asyncio task and for the tasks
that it starts: what one tree does is recorded, what others do at the same time is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from enum import StrEnum
from typing import Protocol


class Activity(StrEnum):
    """What a span is about."""

    TREE = "tree"
    ROLLOUT = "rollout"
    SELECT = "select"
    EXPAND = "expand"
    QUEUE = "queue"
    GENERATE = "generate"
    EXECUTE = "execute"
    GRADE = "grade"
    SCORE = "score"
    BACK_UP = "back_up"


Attribute = str | int | float | bool


class SpanRecorder(Protocol):
    """Records spans."""

    def __call__(self, activity: Activity, attributes: Mapping[str, Attribute], /) -> AbstractContextManager[object]:
        """Return a block that is recorded as a span, from its begin to its end, also where it raises."""
        ...


NOT_RECORDED: AbstractContextManager[object] = nullcontext()
_recorder: ContextVar[SpanRecorder | None] = ContextVar("span_recorder", default=None)


def span(activity: Activity, **attributes: Attribute) -> AbstractContextManager[object]:
    """Return a block to be recorded as a span inside of the present one; one that does nothing without a recorder."""
    recorder = _recorder.get()
    return NOT_RECORDED if recorder is None else recorder(activity, attributes)


@contextmanager
def recording(recorder: SpanRecorder | None) -> Iterator[None]:
    """Record the spans of the block, and of the tasks that it starts, by ``recorder``; by none if it is None."""
    token = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(token)
