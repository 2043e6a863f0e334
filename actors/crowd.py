"""Many workers on one list of problems: hand out small chunks as workers fall idle, take what died back.

Knows Ray and the store of finished trees, not how a tree is grown. The driver calls ``run_search``; nobody waits for
the slowest chunk, because no worker holds more than it grows at once and one chunk.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayActorError

from actors.worker import Assignment, Engines, SearchWorker, Summary, summarise
from search.seeds import derive
from search.store import read_trees
from search.types import Problem

CALLS_AT_ONCE = 1024
STOP_S = 10.0


class SearchStalled(TimeoutError):
    """No tree was finished for longer than the config allows."""


@dataclass(eq=False)
class Chunk:
    """Problems under way in one worker, and the stream of their summaries."""

    worker: int
    stream: Any
    open: dict[str, Problem]


@dataclass
class Board:
    """Who works on what. ``tries`` counts the workers that died with a problem in hand."""

    waiting: deque[Problem]
    chunks: list[Chunk] = field(default_factory=list)
    tries: Counter[str] = field(default_factory=Counter)

    def load(self, worker: int) -> int:
        return sum(len(chunk.open) for chunk in self.chunks if chunk.worker == worker)


def run_search(
    assignment: Assignment,
    engines: Engines,
    problems: Sequence[Problem],
    on_summary: Callable[[Summary], None] | None = None,
) -> list[Summary]:
    """Search all problems on ``assignment.worker.workers`` new actors; the summaries in the order in which they came.

    Raises SearchStalled where nothing is finished for ``stall_s``, and ValueError for two problems with one id.
    """
    if len({problem.id for problem in problems}) < len(problems):
        raise ValueError("two problems have the same id: a tree belongs to one problem")
    found = []
    workers = start_workers(assignment, engines)
    try:
        for summary in summaries(workers, assignment, problems):
            found.append(summary)
            if on_summary is not None:
                on_summary(summary)
    finally:
        stop_workers(workers)
    return found


def start_workers(assignment: Assignment, engines: Engines) -> list[Any]:
    """Worker actors, starting."""
    config = assignment.worker
    actor = ray.remote(SearchWorker).options(
        num_cpus=config.num_cpus, max_restarts=config.restarts, max_task_retries=0, max_concurrency=CALLS_AT_ONCE
    )
    return [actor.remote(assignment, engines, index) for index in range(config.workers)]


def stop_workers(workers: Sequence[Any]) -> None:
    """Let the workers close their files, then end them."""
    ray.wait([worker.close.remote() for worker in workers], num_returns=len(workers), timeout=STOP_S)
    for worker in workers:
        ray.kill(worker)


def summaries(workers: Sequence[Any], assignment: Assignment, problems: Sequence[Problem]) -> Iterator[Summary]:
    """Summaries as they come: every problem has exactly one in the end."""
    board = Board(deque(problems))
    while board.waiting or board.chunks:
        _hand_out(board, workers, assignment)
        streams = {chunk.stream: chunk for chunk in board.chunks}
        ready, _ = ray.wait(list(streams), num_returns=1, timeout=assignment.worker.stall_s, fetch_local=True)
        if not ready:
            raise SearchStalled(_stalled(board, assignment.worker.stall_s))
        chunk = streams[ready[0]]
        try:
            summary = ray.get(next(chunk.stream))
        except StopIteration:
            board.chunks.remove(chunk)
        except RayActorError as error:
            board.chunks.remove(chunk)
            yield from _take_back(board, chunk, assignment, error)
        else:
            del chunk.open[summary.problem_id]
            yield summary


def _hand_out(board: Board, workers: Sequence[Any], assignment: Assignment) -> None:
    """Fill every worker up to what it grows at once and one chunk more, the least loaded first."""
    config = assignment.worker
    full = config.trees_in_flight + config.chunk
    while board.waiting:
        worker = min(range(len(workers)), key=board.load)
        room = min(config.chunk, full - board.load(worker))
        if room < 1 or (room < config.chunk and board.load(worker)):
            return
        problems = tuple(board.waiting.popleft() for _ in range(min(room, len(board.waiting))))
        stream = workers[worker].run.remote(problems)
        board.chunks.append(Chunk(worker, stream, {problem.id: problem for problem in problems}))


def _take_back(board: Board, chunk: Chunk, assignment: Assignment, error: Exception) -> Iterator[Summary]:
    """After a worker's death: what it had stored is done, the rest waits again or goes into quarantine."""
    for tree in read_trees(assignment.directory):
        if tree.problem.id in chunk.open:
            del chunk.open[tree.problem.id]
            yield summarise(tree)
    for problem in chunk.open.values():
        board.tries[problem.id] += 1
        if board.tries[problem.id] < assignment.worker.attempts:
            board.waiting.append(problem)
        else:
            reason = f"its worker died {board.tries[problem.id]} times; last: {str(error).splitlines()[0]}"
            yield Summary(problem.id, derive(assignment.seed, problem.id), quarantined=reason)


def _stalled(board: Board, stall_s: float) -> str:
    held = [f"search-{chunk.worker}: {', '.join(sorted(chunk.open)[:3])}" for chunk in board.chunks]
    return f"no tree was finished in {stall_s:g} s; under way in {'; '.join(held[:4])}"
