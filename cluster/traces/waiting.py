"""Say what the policy engines waited for in a search: of their places for sequences, how many were in use, and why not more.

At each moment G sequences are at engines that have P places, and other rollouts are elsewhere: at an executor, at a reward
model, at the grader, or in the search worker, which selects, parses and backs up. Each of these would bring c sequences, the
mean of a request, were it at an engine. The P - G free places are shared out among these causes in proportion; where all
rollouts elsewhere would not fill them, the rest is put down to too few trees at once. The times are those of the requests as
their senders see them, so the way over the network, an engine's own queue and answers that wait for a busy search worker
count as use.

Example: P = 10, G = 4, c = 2, one rollout at an executor and one at a reward model: of 6 free places 2 wait for a program, 2
for a score, and 2 for more trees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from cluster.traces.record import ActivityTotals, Use, Waiting, write_waiting
from cluster.traces.spans import NANOSECONDS, SearchTrace, StoredSpan, read_trace
from search.concurrency.tracing import Activity

PARTS = 120  # of the time of a search, in a plot
TREES, SCORED = "trees", "scored"  # what is counted beside the uses of places: growing trees, states at reward models
REWARD_MODEL = "reward_model"  # role of a reward model in the attributes of a span
NOTHING = 1e-6  # amounts below it come from rounding
CAUSES = {  # of free places: where a rollout is that is not at a policy
    Activity.EXECUTE: Use.PROGRAMS,
    Activity.SCORE: Use.SCORES,
    Activity.GRADE: Use.GRADES,
}
ELSEWHERE: tuple[Use, ...] = (*CAUSES.values(), Use.WORKER, Use.ROUTER)
WAITS = (Activity.QUEUE, Activity.GENERATE, *CAUSES)  # spans in which a tree waits for somebody else than its worker

Event = tuple[int, str, float]  # time (ns), what changes (a use of places, TREES or SCORED), by how much


@dataclass(frozen=True, slots=True)
class Interval:
    """A time between two events: its seconds, the uses of the policy engines' places, the states at reward models."""

    seconds: float
    uses: Mapping[Use, float]
    scored: float


def store_waiting(directory: Path) -> Waiting | None:
    """Measure a search's waiting from its spans and store it beside them; None if there is nothing to measure."""
    waiting = measure_waiting(read_trace(directory))
    if waiting is not None:
        write_waiting(waiting, directory)
    return waiting


def measure_waiting(trace: SearchTrace) -> Waiting | None:
    """Return what the policy engines waited for; None for a search without a recorded request to one."""
    sequences = [s.attributes["sequences"] for tree in trace.trees.values() for s in tree if _is_request(s)]
    if not sequences or not trace.places:
        return None
    per_request, scale = sum(sequences) / len(sequences), 1 / trace.share
    intervals = list(_intervals(sorted(_events(trace, per_request, scale)), trace.places))
    seconds = sum(interval.seconds for interval in intervals)
    scored = sum(interval.seconds * min(interval.scored, trace.reward_model_places) for interval in intervals)
    return Waiting(
        seconds=seconds,
        trees=len(trace.trees),
        share=trace.share,
        places=trace.places,
        uses=_mean_uses(intervals),
        parts=tuple(map(_mean_uses, _cut(intervals, PARTS))),
        reward_model_use=scored / (trace.reward_model_places * seconds) if trace.reward_model_places else None,
        activities=_totals(trace),
    )


def shared_out(places: int, sequences: float, elsewhere: Mapping[Use, float]) -> dict[Use, float]:
    """Return the share of the places by use at one moment, from the sequences at engines and those that are elsewhere."""
    used = min(float(places), sequences)
    free, waiting = places - used, sum(elsewhere.values())
    factor = min(1.0, free / waiting) if waiting > 0 else 0.0
    uses = {use: number * factor / places for use, number in elsewhere.items()}
    return {**uses, Use.GENERATING: used / places, Use.TREES: max(0.0, free - waiting) / places}


def worker_times(spans: Sequence[StoredSpan]) -> Iterator[tuple[int, int]]:
    """Yield the times (ns) of a tree in which nothing of it waits for anybody: it is its search worker's turn."""
    root = next(span for span in spans if span.activity is Activity.TREE)
    reached = root.start
    for span in sorted((span for span in spans if span.activity in WAITS), key=lambda span: span.start):
        if span.start > reached:
            yield reached, min(span.start, root.end)
        reached = max(reached, span.end)
    if reached < root.end:
        yield reached, root.end


def totals_of(seconds: Sequence[float]) -> ActivityTotals:
    """Return the totals of spans that took ``seconds``, at least one."""
    ordered = sorted(seconds)
    late = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return ActivityTotals(spans=len(ordered), seconds=sum(ordered), mean=sum(ordered) / len(ordered), late=late)


def _is_request(span: StoredSpan) -> bool:
    return span.activity is Activity.GENERATE


def _events(trace: SearchTrace, per_request: float, scale: float) -> Iterator[Event]:
    """Yield all begins and ends. Trees of which a share is recorded stand for all: ``scale``."""
    for spans in trace.trees.values():
        for span in spans:
            for change, amount in _changes(span, per_request):
                yield span.start, change, amount * scale
                yield span.end, change, -amount * scale
        for start, end in worker_times(spans):
            yield start, Use.WORKER, per_request * scale
            yield end, Use.WORKER, -per_request * scale


def _changes(span: StoredSpan, per_request: float) -> Iterator[tuple[str, float]]:
    """Yield what a span adds to while it lasts, and how much; nothing for spans that only hold others."""
    if span.activity is Activity.TREE:
        yield TREES, 1
    elif _is_request(span):
        yield Use.GENERATING, span.attributes["sequences"]
    elif span.activity is Activity.QUEUE and span.attributes["role"] != REWARD_MODEL:
        yield Use.ROUTER, span.attributes["sequences"]
    elif span.activity is Activity.QUEUE:
        yield Use.SCORES, per_request
    elif span.activity in CAUSES:
        yield CAUSES[span.activity], per_request
    if span.activity is Activity.SCORE:
        yield SCORED, span.attributes["sequences"]


def _intervals(events: Sequence[Event], places: int) -> Iterator[Interval]:
    """Yield the times between two events in which a tree is growing."""
    amounts: dict[str, float] = {}
    for (time, change, amount), (following, _, _) in pairwise(events):
        amounts[change] = amounts.get(change, 0.0) + amount
        if following > time and amounts.get(TREES, 0.0) > NOTHING:
            elsewhere = {use: amounts[use] for use in ELSEWHERE if amounts.get(use, 0.0) > NOTHING}
            uses = shared_out(places, amounts.get(Use.GENERATING, 0.0), elsewhere)
            yield Interval((following - time) / NANOSECONDS, uses, amounts.get(SCORED, 0.0))


def _mean_uses(intervals: Sequence[Interval]) -> dict[str, float]:
    """Return the mean shares by use, weighted by the seconds, in the order of ``Use``; those above 0."""
    seconds = sum(interval.seconds for interval in intervals)
    sums = {use: sum(part.seconds * part.uses.get(use, 0.0) for part in intervals) for use in Use}
    return {use.value: total / seconds for use, total in sums.items() if total > NOTHING * seconds}


def _cut(intervals: Sequence[Interval], parts: int) -> Iterator[list[Interval]]:
    """Cut a search into parts of equal length. An interval over a boundary is in both parts, each with its seconds there."""
    size = sum(interval.seconds for interval in intervals) / parts
    part: list[Interval] = []
    room, count = size, 1
    for interval in intervals:
        left = interval.seconds
        while left > room and count < parts:
            yield [*part, Interval(room, interval.uses, interval.scored)]
            left -= room
            part, room, count = [], size, count + 1
        part.append(Interval(left, interval.uses, interval.scored))
        room -= left
    yield part


def _totals(trace: SearchTrace) -> dict[str, ActivityTotals]:
    """Return the totals of the spans by activity, and of the times in which it was the search worker's turn."""
    seconds: dict[str, list[float]] = {}
    for spans in trace.trees.values():
        for span in spans:
            seconds.setdefault(span.activity, []).append(span.seconds)
        times = ((end - start) / NANOSECONDS for start, end in worker_times(spans))
        seconds.setdefault(Use.WORKER, []).extend(times)
    return {name.value: totals_of(seconds[name]) for name in (*Activity, Use.WORKER) if seconds.get(name)}
