"""A recorder of spans that keeps them as an indented outline, in the order of their begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from search.concurrency.tracing import Activity, Attribute

DEPTH: ContextVar[int] = ContextVar("depth", default=0)


@dataclass
class Outline:
    """A recorder that writes each span at its begin, indented by the spans around it, and counts those that ended."""

    lines: list[str] = field(default_factory=list)
    ended: int = 0

    def __call__(self, activity: Activity, attributes: Mapping[str, Attribute], /) -> AbstractContextManager[object]:
        return self.record(activity, attributes)

    @contextmanager
    def record(self, activity: Activity, attributes: Mapping[str, Attribute]) -> Iterator[None]:
        facts = "".join(f" {name}={value}" for name, value in attributes.items())
        self.lines.append(f"{'  ' * DEPTH.get()}{activity}{facts}")
        token = DEPTH.set(DEPTH.get() + 1)
        try:
            yield
        finally:
            DEPTH.reset(token)
            self.ended += 1
