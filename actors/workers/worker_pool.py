"""Distribute the trees of a search over workers: first a share for each, then small chunks as they fall idle.

A tree is a task of its own (``TreeTask``), so several trees of one problem grow side by side. No worker has more tasks
than it grows at once plus one chunk, so nobody waits long for the slowest chunk. The driver's loop (``stream_summaries``):

    waiting ───┐  a chunk for the least loaded worker     ┌── report ──────────> yield its summaries
               ├──────────────> inflight chunks ──────────┼── end of stream ───> drop the chunk
    solo ──────┘  one task for an idle worker             └── worker died ──────> requeue, see below

    worker died:  a task whose tree is stored ──────────────> yield its summary
                  a task with two deaths or more left ──────> waiting
                  a task with one death left ───────────────> solo
                  a task with none left (max_deaths) ───────> yield a quarantine reason
                  the worker itself ──> restarting, polled every PAUSE_S ──> available again, or dead for good

    SearchStalled ends the loop when no summary came for stall_s, or when all workers are dead.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import ray
from ray.exceptions import ActorUnavailableError, GetTimeoutError, RayActorError, RayTaskError

from actors.actor_names import actor_name
from actors.config import WorkerConfig
from actors.cpu_affinity import OTHER_CORES_ENV
from actors.placement.placer import Placer
from actors.stats import WorkerStats
from actors.workers.messages import Engines, SearchJob, SearchSpec, TreeSummary, TreeTask, summarise
from actors.workers.search_worker import SearchWorker
from search.data import Problem
from search.errors import UserError
from search.seeds import tree_seed
from search.storage.tree_store import read_trees
from search.tree import TreeKey, tree_name

MAX_CONCURRENCY = 1024
RELEASE_S = 60.0  # a worker has this long to close its file
PAUSE_S = 0.2  # between two liveness checks of a worker that died

OnStats = Callable[[int, WorkerStats], None]  # worker index, its heartbeat


class SearchStalled(TimeoutError):
    """No tree was finished for longer than the config allows, or no worker is left."""


@dataclass(eq=False, kw_only=True)
class InflightChunk:
    """Tasks that one worker has, by the keys of their trees, and the stream of its reports on them."""

    worker: int
    stream: Any
    tasks: dict[TreeKey, TreeTask]
    is_solo: bool = False


@dataclass(kw_only=True)
class DispatchState:
    """Which worker has which tasks.

    ``solo``: tasks with one death left before ``max_deaths``. Each is alone on a worker, so that a tree that kills its
    worker takes no other with it. ``deaths``: for each tree, workers that died with it in hand.
    ``restarting``: dead workers with their pending liveness check. ``dead``: workers that Ray will not restart.
    """

    job: SearchJob
    workers: Sequence[Any]
    waiting: deque[TreeTask]
    on_stats: OnStats | None = None
    solo: deque[TreeTask] = field(default_factory=deque)
    chunks: list[InflightChunk] = field(default_factory=list)
    deaths: Counter[TreeKey] = field(default_factory=Counter)
    restarting: dict[int, Any] = field(default_factory=dict)
    dead: set[int] = field(default_factory=set)

    def load(self, worker: int) -> int:
        """Return how many tasks the worker has."""
        return sum(len(chunk.tasks) for chunk in self.chunks if chunk.worker == worker)

    def available(self) -> list[int]:
        """Return the workers that may get tasks."""
        excluded = self.dead | set(self.restarting) | {chunk.worker for chunk in self.chunks if chunk.is_solo}
        return [index for index in range(len(self.workers)) if index not in excluded]

    def dispatch(self, worker: int, tasks: tuple[TreeTask, ...], is_solo: bool = False) -> None:
        """Send a chunk of tasks to a worker."""
        stream = self.workers[worker].run.remote(self.job, tasks)
        by_key = {task.key: task for task in tasks}
        self.chunks.append(InflightChunk(worker=worker, stream=stream, tasks=by_key, is_solo=is_solo))

    def check_liveness(self, worker: int) -> None:
        """Call a worker that died; the call returns once Ray has restarted it."""
        self.restarting[worker] = self.workers[worker].pid.remote()


class SearchWorkerPool:
    """Search workers that stay between searches. One driver owns them; use as a context manager, or call ``stop``.

    ``placer`` chooses their nodes on a cluster. ``counts`` adds up the counts of the workers' pools in the last search,
    such as "policy_retries" or "executor_gave_up". Those of a worker that died are lost with it.
    """

    def __init__(self, config: WorkerConfig, placer: Placer | None = None) -> None:
        self._config, self._placer = config, placer
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
        spec: SearchSpec,
        engines: Engines,
        problems: Sequence[Problem],
        on_summary: Callable[[TreeSummary], None] | None = None,
        on_stats: OnStats | None = None,
        finished: Collection[TreeKey] = (),
    ) -> list[TreeSummary]:
        """Grow ``spec.search.trees`` trees for each problem, but those that are ``finished``.

        Returns the summaries in the order of their arrival. ``on_stats`` gets the heartbeat of each worker about once a
        second. Raises SearchStalled where no tree is finished for ``stall_s``, and ValueError for two problems with one id.
        """
        if len({problem.id for problem in problems}) < len(problems):
            raise ValueError("two problems have the same id: a tree belongs to one problem")
        self.counts.clear()
        self._start(engines.policy_config.reserved_cores)
        job, summaries = SearchJob(uuid4().hex, spec, engines), []
        try:
            tasks = tree_tasks(problems, spec.search.trees, finished)
            for summary in stream_summaries(self._workers, job, tasks, on_stats):
                summaries.append(summary)
                if on_summary is not None:
                    on_summary(summary)
            self._release()
        except BaseException:
            self.stop()  # workers may still be growing trees of this search
            raise
        return summaries

    @property
    def workers(self) -> tuple[Any, ...]:
        """The handles of the workers; none before the first search."""
        return tuple(self._workers)

    def pids(self) -> list[int]:
        """Return the workers' process ids."""
        return list(ray.get([worker.pid.remote() for worker in self._workers], timeout=RELEASE_S))

    def stop(self) -> None:
        """Kill the workers; the trees that they stored stay."""
        for worker in self._workers:
            ray.kill(worker)
        self._workers = []

    def _release(self) -> None:
        """Add up the workers' counts and have them close their files."""
        for worker in self._workers:
            try:
                self.counts.update(ray.get(worker.counts.remote(), timeout=RELEASE_S))
                ray.get(worker.release.remote(), timeout=RELEASE_S)
            except RayTaskError as error:
                raise user_error(error) from error
            except GetTimeoutError as error:
                raise UserError(f"a search worker did not store its trees in {RELEASE_S:.0f} s: start again") from error
            except RayActorError:
                continue  # it died: its successor has no open file

    def _start(self, engine_cores: int) -> None:
        if self._workers:
            return
        count, cpus, placer = self._config.workers, self._config.num_cpus, self._placer
        options = {
            "num_cpus": cpus,
            "max_restarts": -1,
            "max_task_retries": 0,
            "max_concurrency": MAX_CONCURRENCY,
            "runtime_env": {"env_vars": {OTHER_CORES_ENV: str(engine_cores)}},
        }
        places = [dict[str, Any]()] * count if placer is None else placer.worker_options(count, cpus)
        actor = ray.remote(SearchWorker)
        self._workers = [
            actor.options(**options, **place, name=actor_name(f"search-{index}")).remote(index)
            for index, place in enumerate(places)
        ]
        if placer is not None:
            try:
                placer.await_placed({f"search-{index}": worker for index, worker in enumerate(self._workers)}, cpus)
            except BaseException:
                self.stop()
                raise


def user_error(error: RayTaskError) -> Exception:
    """Return the UserError that a worker raised, such as of a directory that is not the driver's; any other as it is.

    Ray's own text of it would be the whole traceback.
    """
    return UserError(str(error.cause)) if isinstance(error.cause, UserError) else error


def tree_tasks(problems: Sequence[Problem], trees: int, finished: Collection[TreeKey] = ()) -> tuple[TreeTask, ...]:
    """Return a task for every tree that is not finished, the trees of a problem one after the other."""
    tasks = (TreeTask(problem, number) for problem in problems for number in range(trees))
    return tuple(task for task in tasks if task.key not in finished)


def stream_summaries(
    workers: Sequence[Any], job: SearchJob, tasks: Sequence[TreeTask], on_stats: OnStats | None = None
) -> Iterator[TreeSummary]:
    """Yield summaries as they come, exactly one for every task. Raises SearchStalled."""
    state = DispatchState(job=job, workers=workers, waiting=deque(tasks), on_stats=on_stats)
    stall_s = job.spec.worker.stall_s
    last_summary = time.monotonic()
    while state.waiting or state.solo or state.chunks:
        _dispatch_waiting(state)
        streams = {chunk.stream: chunk for chunk in state.chunks}
        checks = {check: worker for worker, check in state.restarting.items()}
        if not streams and not checks:
            left = len(state.waiting) + len(state.solo)
            raise SearchStalled(f"no worker is left for {left} trees: all died for good")
        timeout_s = max(0.0, last_summary + stall_s - time.monotonic())
        for ready in ray.wait([*streams, *checks], num_returns=1, timeout=timeout_s)[0]:
            if ready in checks:
                _check_restarted(state, checks[ready])
                continue
            for summary in _poll_stream(state, streams[ready]):
                yield summary
                last_summary = time.monotonic()
        if time.monotonic() - last_summary >= stall_s:  # heartbeats of workers that finish nothing do not count
            raise SearchStalled(_stall_message(state, stall_s))


def _poll_stream(state: DispatchState, chunk: InflightChunk) -> Iterator[TreeSummary]:
    """Yield the chunk's next summaries.

    At the end of the stream drop the chunk. On worker death yield the summaries of its stored trees and requeue the
    rest.
    """
    try:
        report = ray.get(next(chunk.stream))
    except StopIteration:
        state.chunks.remove(chunk)
    except RayTaskError as error:
        raise user_error(error) from error
    except RayActorError as error:
        state.chunks.remove(chunk)
        if chunk.worker not in state.restarting and chunk.worker not in state.dead:
            state.check_liveness(chunk.worker)
            _report_stats(state, chunk.worker, WorkerStats())  # nothing of its last heartbeat is in flight any more
        yield from _requeue(state, chunk, error)
    else:
        _report_stats(state, chunk.worker, report.stats)
        for summary in report.summaries:
            del chunk.tasks[summary.key]
            yield summary


def _report_stats(state: DispatchState, worker: int, stats: WorkerStats) -> None:
    if state.on_stats is not None:
        state.on_stats(worker, stats)


def _check_restarted(state: DispatchState, worker: int) -> None:
    """Read a liveness check: the worker is available again, still restarting (check again), or dead."""
    try:
        ray.get(state.restarting[worker])
    except ActorUnavailableError:
        time.sleep(PAUSE_S)
        state.check_liveness(worker)
        return
    except RayActorError:
        state.dead.add(worker)
    del state.restarting[worker]


def _dispatch_waiting(state: DispatchState) -> None:
    """Fill every available worker up to ``trees_in_flight`` and one chunk more, the least loaded first."""
    config = state.job.spec.worker
    max_load = config.trees_in_flight + config.chunk_size
    while state.waiting and (available := state.available()):
        worker = min(available, key=state.load)
        load = state.load(worker)
        if load == 0:
            size = _first_chunk_size(len(state.waiting), len(available), config)
        elif load + config.chunk_size <= max_load:
            size = config.chunk_size
        else:
            break
        size = min(size, len(state.waiting))
        state.dispatch(worker, tuple(state.waiting.popleft() for _ in range(size)))
    for worker in state.available():
        if state.solo and not state.load(worker):
            state.dispatch(worker, (state.solo.popleft(),), is_solo=True)


def _first_chunk_size(waiting: int, workers: int, config: WorkerConfig) -> int:
    """Return the size of an idle worker's chunk: its fair share, within [chunk_size, trees_in_flight].

    One large chunk, because each costs Ray a few milliseconds.
    """
    return max(config.chunk_size, min(config.trees_in_flight, math.ceil(waiting / workers)))


def _requeue(state: DispatchState, chunk: InflightChunk, error: Exception) -> Iterator[TreeSummary]:
    """After a worker's death yield the summaries of its stored trees; queue the other tasks or quarantine them."""
    spec = state.job.spec
    if spec.store is not None:
        spec.store.pull(spec.directory)
    for tree in read_trees(spec.directory):
        if tree.key in chunk.tasks:
            del chunk.tasks[tree.key]
            yield summarise(tree)
    for key, task in chunk.tasks.items():
        state.deaths[key] += 1
        deaths_left = spec.worker.max_deaths - state.deaths[key]
        if deaths_left > 1:
            state.waiting.append(task)
        elif deaths_left == 1:
            state.solo.append(task)
        else:
            reason = f"its worker died {state.deaths[key]} times; last: {str(error).splitlines()[0]}"
            seed = tree_seed(spec.seed, *key)
            yield TreeSummary(problem_id=task.problem.id, number=task.number, seed=seed, quarantine_reason=reason)


def _stall_message(state: DispatchState, stall_s: float) -> str:
    loads = [
        f"search-{chunk.worker}: {', '.join(tree_name(*key) for key in sorted(chunk.tasks)[:3])}"
        for chunk in state.chunks
    ]
    return f"no tree was finished in {stall_s:g} s; under way in {'; '.join(loads[:4])}"
