"""Many workers on one list of problems: hand out small chunks as workers fall idle, take what died back.

Knows Ray and the store of finished trees, not how a tree is grown. The driver calls ``Crowd.run``; nobody waits for
the slowest chunk, because no worker holds more than it grows at once and one chunk.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import ray
from ray.exceptions import RayActorError

from actors.config import WorkerConfig
from actors.worker import Assignment, Engines, Job, SearchWorker, Summary, summarise
from search.seeds import derive
from search.store import read_trees
from search.types import Problem

CALLS_AT_ONCE = 1024
RELEASE_S = 60.0  # a worker has this long to close its file


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


class Crowd:
    """Search workers that stay between searches. One driver owns them; use as a context manager, or call ``stop``."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self._workers: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def run(
        self,
        assignment: Assignment,
        engines: Engines,
        problems: Sequence[Problem],
        on_summary: Callable[[Summary], None] | None = None,
    ) -> list[Summary]:
        """Search all problems; the summaries in the order in which they came.

        Raises SearchStalled where nothing is finished for ``stall_s``, and ValueError for two problems with one id.
        """
        if len({problem.id for problem in problems}) < len(problems):
            raise ValueError("two problems have the same id: a tree belongs to one problem")
        self._start()
        job, found = Job(uuid4().hex, assignment, engines), []
        try:
            for summary in summaries(self._workers, job, problems):
                found.append(summary)
                if on_summary is not None:
                    on_summary(summary)
            ray.get([worker.release.remote() for worker in self._workers], timeout=RELEASE_S)
        except BaseException:
            self.stop()  # workers may still be growing trees of this search
            raise
        return found

    def stop(self) -> None:
        """End the workers; what they had stored stays."""
        for worker in self._workers:
            ray.kill(worker)
        self._workers = []

    def _start(self) -> None:
        if not self._workers:
            config = self._config
            actor = ray.remote(SearchWorker).options(
                num_cpus=config.num_cpus,
                max_restarts=config.restarts,
                max_task_retries=0,
                max_concurrency=CALLS_AT_ONCE,
            )
            self._workers = [actor.remote(index) for index in range(config.workers)]


def run_search(
    assignment: Assignment,
    engines: Engines,
    problems: Sequence[Problem],
    on_summary: Callable[[Summary], None] | None = None,
) -> list[Summary]:
    """One search on workers of its own. See Crowd.run."""
    with Crowd(assignment.worker) as crowd:
        return crowd.run(assignment, engines, problems, on_summary)


def summaries(workers: Sequence[Any], job: Job, problems: Sequence[Problem]) -> Iterator[Summary]:
    """Summaries as they come: every problem has exactly one in the end."""
    board, stall_s = Board(deque(problems)), job.assignment.worker.stall_s
    while board.waiting or board.chunks:
        _hand_out(board, workers, job)
        streams = {chunk.stream: chunk for chunk in board.chunks}
        ready, _ = ray.wait(list(streams), num_returns=1, timeout=stall_s)
        if not ready:
            raise SearchStalled(_stalled(board, stall_s))
        chunk = streams[ready[0]]
        try:
            summary = ray.get(next(chunk.stream))
        except StopIteration:
            board.chunks.remove(chunk)
        except RayActorError as error:
            board.chunks.remove(chunk)
            yield from _take_back(board, chunk, job.assignment, error)
        else:
            del chunk.open[summary.problem_id]
            yield summary


def _hand_out(board: Board, workers: Sequence[Any], job: Job) -> None:
    """Fill every worker up to what it grows at once and one chunk more, the least loaded first."""
    config = job.assignment.worker
    full = config.trees_in_flight + config.chunk
    while board.waiting:
        worker = min(range(len(workers)), key=board.load)
        room = min(config.chunk, full - board.load(worker))
        if room < 1 or (room < config.chunk and board.load(worker)):
            return
        problems = tuple(board.waiting.popleft() for _ in range(min(room, len(board.waiting))))
        stream = workers[worker].run.remote(job, problems)
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
