"""Many workers on one list of problems: hand out shares, then small chunks as they fall idle, take what died back.

Knows Ray and the store of finished trees, not how a tree is grown. The driver calls ``Crowd.run``; nobody waits for
the slowest chunk, because no worker holds more than it grows at once and one chunk.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import ray
from ray.exceptions import ActorUnavailableError, RayActorError

from actors.config import WorkerConfig
from actors.cpu_affinity import OFF
from actors.stats import WorkerStats
from actors.workers.messages import Engines, SearchJob, SearchSpec, TreeSummary, summarise
from actors.workers.search_worker import SearchWorker
from search.data import Problem
from search.seeds import derive
from search.storage.tree_store import read_trees

CALLS_AT_ONCE = 1024
RELEASE_S = 60.0  # a worker has this long to close its file
PAUSE_S = 0.2  # between two questions to a worker whether it is back


class SearchStalled(TimeoutError):
    """No tree was finished for longer than the config allows, or no worker is left."""


@dataclass(eq=False)
class InflightChunk:
    """Problems under way in one worker, and the stream of their summaries."""

    worker: int
    stream: Any
    open: dict[str, Problem]
    alone: bool = False


@dataclass
class DispatchState:
    """Who works on what. ``deaths`` counts the workers that died with a problem in hand.

    ``alone`` are problems on their last chance: each gets a worker for itself, so that a problem that kills its worker
    takes no other with it. ``out`` are workers that died, each with the question whether it is back; ``lost`` never
    come back.
    """

    workers: Sequence[Any]
    waiting: deque[Problem]
    on_pulse: Callable[[int, WorkerStats], None] | None = None
    alone: deque[Problem] = field(default_factory=deque)
    chunks: list[InflightChunk] = field(default_factory=list)
    deaths: Counter[str] = field(default_factory=Counter)
    out: dict[int, Any] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)

    def load(self, worker: int) -> int:
        return sum(len(chunk.open) for chunk in self.chunks if chunk.worker == worker)

    def ready(self) -> list[int]:
        """Workers that may be handed something."""
        shut = self.lost | set(self.out) | {chunk.worker for chunk in self.chunks if chunk.alone}
        return [index for index in range(len(self.workers)) if index not in shut]

    def give(self, worker: int, job: SearchJob, problems: tuple[Problem, ...], alone: bool = False) -> None:
        stream = self.workers[worker].run.remote(job, problems)
        self.chunks.append(InflightChunk(worker, stream, {problem.id: problem for problem in problems}, alone))


class SearchWorkerPool:
    """Search workers that stay between searches. One driver owns them; use as a context manager, or call ``stop``.

    ``counts`` adds up what the workers' pools counted in all searches, such as "policy_retries" or "policy_too_long".
    """

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self._workers: list[Any] = []
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def run(
        self,
        assignment: SearchSpec,
        engines: Engines,
        problems: Sequence[Problem],
        on_summary: Callable[[TreeSummary], None] | None = None,
        on_pulse: Callable[[int, WorkerStats], None] | None = None,
    ) -> list[TreeSummary]:
        """Search all problems; the summaries in the order in which they came. ``on_pulse`` hears of each worker about once
        a second.

        Raises SearchStalled where nothing is finished for ``stall_s``, and ValueError for two problems with one id.
        """
        if len({problem.id for problem in problems}) < len(problems):
            raise ValueError("two problems have the same id: a tree belongs to one problem")
        self._start(engines.policy_config.cores)
        job, found = SearchJob(uuid4().hex, assignment, engines), []
        try:
            for summary in summaries(self._workers, job, problems, on_pulse):
                found.append(summary)
                if on_summary is not None:
                    on_summary(summary)
            self._release()
        except BaseException:
            self.stop()  # workers may still be growing trees of this search
            raise
        return found

    def pids(self) -> list[int]:
        """The workers' process ids."""
        return list(ray.get([worker.pid.remote() for worker in self._workers], timeout=RELEASE_S))

    def stop(self) -> None:
        """End the workers; what they had stored stays."""
        for worker in self._workers:
            ray.kill(worker)
        self._workers = []

    def _release(self) -> None:
        """Have the workers close their files, and add up what their pools counted."""
        for worker in self._workers:
            try:
                self.counts.update(ray.get(worker.counts.remote(), timeout=RELEASE_S))
                ray.get(worker.release.remote(), timeout=RELEASE_S)
            except RayActorError:
                continue  # it died: its successor holds no file

    def _start(self, engine_cores: int) -> None:
        if not self._workers:
            config = self._config
            actor = ray.remote(SearchWorker).options(
                num_cpus=config.num_cpus,
                max_restarts=-1,
                max_task_retries=0,
                max_concurrency=CALLS_AT_ONCE,
                runtime_env={"env_vars": {OFF: str(engine_cores)}},
            )
            self._workers = [actor.remote(index) for index in range(config.workers)]


def summaries(
    workers: Sequence[Any],
    job: SearchJob,
    problems: Sequence[Problem],
    on_pulse: Callable[[int, WorkerStats], None] | None = None,
) -> Iterator[TreeSummary]:
    """Summaries as they come: every problem has exactly one in the end."""
    board, stall_s = DispatchState(workers, deque(problems), on_pulse), job.assignment.worker.stall_s
    last = time.monotonic()  # that a tree was finished
    while board.waiting or board.alone or board.chunks:
        _dispatch_waiting(board, job)
        streams = {chunk.stream: chunk for chunk in board.chunks}
        asked = {question: worker for worker, question in board.out.items()}
        if not streams and not asked:
            raise SearchStalled(
                f"no worker is left for {len(board.waiting) + len(board.alone)} problems: all died for good"
            )
        left = max(0.0, last + stall_s - time.monotonic())
        for one in ray.wait([*streams, *asked], num_returns=1, timeout=left)[0]:
            if one in asked:
                _check_restarted(board, asked[one])
                continue
            for summary in _poll_stream(board, streams[one], job):
                yield summary
                last = time.monotonic()
        if time.monotonic() - last >= stall_s:  # workers that grow trees without an end are heard of all the same
            raise SearchStalled(_stalled(board, stall_s))


def _poll_stream(board: DispatchState, chunk: InflightChunk, job: SearchJob) -> Iterator[TreeSummary]:
    """The next summaries of a chunk; or its end; or, where its worker died, what is to be saved of it."""
    try:
        report = ray.get(next(chunk.stream))
    except StopIteration:
        board.chunks.remove(chunk)
    except RayActorError as error:
        board.chunks.remove(chunk)
        if chunk.worker not in board.out and chunk.worker not in board.lost:
            board.out[chunk.worker] = board.workers[chunk.worker].pid.remote()
            _report_stats(board, chunk.worker, WorkerStats())  # nothing of what it last said is under way any more
        yield from _requeue(board, chunk, job.assignment, error)
    else:
        _report_stats(board, chunk.worker, report.pulse)
        for summary in report.summaries:
            del chunk.open[summary.problem_id]
            yield summary


def _report_stats(board: DispatchState, worker: int, pulse: WorkerStats) -> None:
    if board.on_pulse is not None:
        board.on_pulse(worker, pulse)


def _check_restarted(board: DispatchState, worker: int) -> None:
    """What a worker that died answers to the question whether it is back."""
    try:
        ray.get(board.out[worker])
    except ActorUnavailableError:
        time.sleep(PAUSE_S)
        board.out[worker] = board.workers[worker].pid.remote()
        return
    except RayActorError:
        board.lost.add(worker)
    del board.out[worker]


def _dispatch_waiting(board: DispatchState, job: SearchJob) -> None:
    """Fill every worker up to what it grows at once and one chunk more, the least loaded first."""
    config = job.assignment.worker
    full = config.trees_in_flight + config.chunk
    while board.waiting and (able := board.ready()):
        worker = min(able, key=board.load)
        held = board.load(worker)
        room = min(config.chunk, full - held) if held else _first(len(board.waiting), len(able), config)
        if held and room < config.chunk:
            break
        board.give(worker, job, tuple(board.waiting.popleft() for _ in range(min(room, len(board.waiting)))))
    for worker in board.ready():
        if board.alone and not board.load(worker):
            board.give(worker, job, (board.alone.popleft(),), alone=True)


def _first(waiting: int, workers: int, config: WorkerConfig) -> int:
    """Problems for a worker that has none: its fair share, as far as it grows them at once, since each chunk costs Ray a
    few milliseconds; a chunk at least."""
    return max(config.chunk, min(config.trees_in_flight, math.ceil(waiting / workers)))


def _requeue(
    board: DispatchState, chunk: InflightChunk, assignment: SearchSpec, error: Exception
) -> Iterator[TreeSummary]:
    """After a worker's death: what it had stored is done, the rest waits again or goes into quarantine.

    With one chance left a problem waits for a worker of its own.
    """
    for tree in read_trees(assignment.directory):
        if tree.problem.id in chunk.open:
            del chunk.open[tree.problem.id]
            yield summarise(tree)
    for problem in chunk.open.values():
        board.deaths[problem.id] += 1
        chances = assignment.worker.deaths - board.deaths[problem.id]
        if chances > 1:
            board.waiting.append(problem)
        elif chances == 1:
            board.alone.append(problem)
        else:
            reason = f"its worker died {board.deaths[problem.id]} times; last: {str(error).splitlines()[0]}"
            yield TreeSummary(problem.id, derive(assignment.seed, problem.id), quarantined=reason)


def _stalled(board: DispatchState, stall_s: float) -> str:
    held = [f"search-{chunk.worker}: {', '.join(sorted(chunk.open)[:3])}" for chunk in board.chunks]
    return f"no tree was finished in {stall_s:g} s; under way in {'; '.join(held[:4])}"
