"""Grow many trees at once in one asyncio loop, store them and report a summary of each.

No tree passes through Ray: a finished tree goes to the worker's own file, and only its summary travels.

    TreeTask ──> wait for one of trees_in_flight slots ──> strategy.search ──> store the tree ──> TreeSummary
                       ^                                         │
                       └── an exception: retry with the same ────┘
                           seed; after max_attempts tries: TreeSummary with a quarantine reason

    TreeSummary ──> wait BATCH_S for more of them ──> WorkerReport to the driver
                    no summary for HEARTBEAT_S:  ──> WorkerReport without summaries, as a heartbeat
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from time import monotonic

from actors.cpu_affinity import apply_affinity
from actors.pools.executor_pool import ExecutorPool
from actors.stats import PoolStats, WorkerStats
from actors.workers.messages import SearchJob, TreeSummary, TreeTask, WorkerReport, summarise
from actors.workers.services import (
    AnyPolicy,
    AnyRewardModel,
    close_tracer,
    make_further_policies,
    make_policy,
    make_reward_model,
    make_tracer,
    policy_vocabularies,
)
from actors.workers.tree_output import TreeOutput
from search.grading.algebra import pool as algebra
from search.grading.grader import grader
from search.protocols import SECOND_POLICY, SearchServices
from search.seeds import tree_seed
from search.storage.directory_mark import check_mark
from search.strategies.registry import build, entry_of
from search.tree import ROOT, Tree, TreeKey

GC_THRESHOLD = 20_000  # new objects between two garbage collections; an expansion makes more than Python's default
BATCH_S = 0.25  # trees finished within it are reported together, since each report costs Ray a millisecond
HEARTBEAT_S = 1.0  # longest time between two reports


class JobState:
    """What a worker holds for one job: the strategy, the services of all its trees and the file that they go to."""

    def __init__(self, job: SearchJob, worker_index: int) -> None:
        self.job, self.spec = job, job.spec
        self.strategy = build(job.spec.search)
        self.output = TreeOutput(job.spec.directory, worker_index, job.spec.store)
        self._slots = asyncio.Semaphore(job.spec.worker.trees_in_flight)
        self._active_trees, self._last_heartbeat = 0, monotonic()
        self.growing: dict[TreeKey, Tree] = {}  # of strategies that show theirs
        rollouts = entry_of(job.spec.search).rollouts
        self._rollouts = rollouts(job.spec.search) if rollouts is not None else 0
        self._graded_before = algebra.counts()  # this process may have graded for earlier jobs
        engines, step_format = job.engines, job.spec.format
        self._policy = make_policy(job)
        self._further = make_further_policies(job, self._policy)
        self._reward_model = make_reward_model(job)
        self._executor = ExecutorPool(engines.executors, engines.executor_config)
        self._tracer = make_tracer(job, worker_index)
        self.services = SearchServices(
            policy=self._policy,
            executor=self._executor,
            format=step_format,
            reward_model=self._reward_model,
            grader=None if job.spec.blind else grader(),
            second_policy=self._further.get(SECOND_POLICY),
            policies=tuple(policy for role, policy in self._further.items() if role != SECOND_POLICY),
            vocabularies=policy_vocabularies(engines),
        )

    @asynccontextmanager
    async def tree_slot(self) -> AsyncIterator[None]:
        """Hold one of the ``trees_in_flight`` slots; wait until one is free."""
        async with self._slots:
            self._active_trees += 1
            try:
                yield
            finally:
                self._active_trees -= 1

    def traced(self, task: TreeTask, seed: int) -> AbstractContextManager[None]:
        """Return a block whose spans are recorded if the task's tree is one of those that are."""
        return nullcontext() if self._tracer is None else self._tracer.tree(task.problem.id, task.number, seed)

    @property
    def _policies(self) -> list[AnyPolicy]:
        return [self._policy, *(policy for policy in self._further.values() if policy is not self._policy)]

    @property
    def _pools(self) -> list[AnyPolicy | AnyRewardModel]:
        return [*self._policies, *([self._reward_model] if self._reward_model else [])]

    def counts(self) -> dict[str, int]:
        """Return the counts of all pools and of algebra in this job, named "policy_retries", "algebra_compared" and so on."""
        pools = (*self._pools, self._executor)
        counts = {f"{pool.role}_{name}": number for pool in pools for name, number in pool.counts.items()}
        graded = algebra.counts() - self._graded_before
        return counts | {f"algebra_{name}": number for name, number in graded.items()}

    @property
    def is_heartbeat_due(self) -> bool:
        """True if the last heartbeat is at least HEARTBEAT_S old."""
        return monotonic() - self._last_heartbeat >= HEARTBEAT_S

    def heartbeat(self) -> WorkerStats:
        """Return this worker's stats in this job. All policies count together."""
        self._last_heartbeat = monotonic()
        policy = sum((pool.stats for pool in self._policies), PoolStats())
        reward_model = self._reward_model.stats if self._reward_model else PoolStats()
        tokens_left = [guess_tokens_left(tree, self._rollouts) for tree in self.growing.values()]
        return WorkerStats(
            active_trees=self._active_trees,
            tokens_left=sum(tokens_left),
            longest_tokens_left=max(tokens_left, default=0),
            active_rollouts=sum(tree.nodes[ROOT].visits for tree in self.growing.values()),
            expansions=policy.responses,
            generated_tokens=policy.outputs,
            prompt_tokens=policy.prompt_tokens,
            cached_tokens=policy.cached_tokens,
            scored_states=reward_model.outputs,
            reward_model_prompt_tokens=reward_model.prompt_tokens,
            reward_model_cached_tokens=reward_model.cached_tokens,
            executions=self._executor.executions,
            policy_inflight=sum(pool.inflight for pool in self._policies),
            policy_waiting=sum(pool.waiting for pool in self._policies),
            reward_model_inflight=self._reward_model.inflight if self._reward_model else 0,
            reward_model_waiting=self._reward_model.waiting if self._reward_model else 0,
            inflight_programs=self._executor.inflight,
        )

    async def close(self) -> None:
        """Store the trees for good, close the file of the spans, and the connections to engines and executors."""
        try:
            await self.output.close()
        finally:
            if self._tracer is not None:
                await close_tracer(self._tracer, self.spec.store)
            for pool in (*self._pools, self._executor):
                pool.close()


class SearchWorker:
    """Grows the trees of the tasks it receives. A Ray async actor that its pool keeps between searches."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._state: JobState | None = None
        self._opening = asyncio.Lock()
        apply_affinity()
        gc.freeze()  # imported modules are no garbage: spare collections the scan
        gc.set_threshold(GC_THRESHOLD)

    def __repr__(self) -> str:
        return f"search-{self._index}"

    async def run(self, job: SearchJob, tree_tasks: tuple[TreeTask, ...]) -> AsyncIterator[WorkerReport]:
        """Grow the trees of all ``tree_tasks`` and yield reports, with one summary a tree in all.

        Trees that are finished within BATCH_S share a report. A report without summaries is yielded where there would
        be none for HEARTBEAT_S. Raises ForeignDirectory where the job's directory is not the one that the driver marked.
        """
        state = await self._open(job)
        tasks = {asyncio.ensure_future(_grow_tree(state, task)) for task in tree_tasks}
        try:
            while tasks:
                done, _ = await asyncio.wait(tasks, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    done, tasks = await asyncio.wait(tasks, timeout=BATCH_S)
                if done or state.is_heartbeat_due:
                    yield WorkerReport([task.result() for task in done], state.heartbeat())
        finally:
            for task in tasks:
                task.cancel()

    async def _open(self, job: SearchJob) -> JobState:
        """Return the job's state, made by its first call. Calls that come meanwhile wait for it."""
        async with self._opening:
            if self._state is None or self._state.job.id != job.id:
                await self.release()
                if job.spec.mark:
                    await asyncio.to_thread(check_mark, job.spec.directory, job.spec.mark, repr(self))
                self._state = JobState(job, self._index)
            return self._state

    async def counts(self) -> dict[str, int]:
        """Return the pools' counts in the current job: requests, retries, dead engines, prompts too long, and so on."""
        return self._state.counts() if self._state is not None else {}

    async def pid(self) -> int:
        return os.getpid()

    async def release(self) -> None:
        """End the current job: store its trees for good and close its connections."""
        if self._state is not None:
            state, self._state = self._state, None
            await state.close()


def guess_tokens_left(tree: Tree, rollouts: int) -> int:
    """Return the tokens of the rollouts that a tree has left, as if they were like those so far, the last of them half done.

    100 tokens after two rollouts of four: 100 / 2.5 * 1.5 = 60.
    """
    done = tree.nodes[ROOT].visits + 0.5
    return round(tree.cost.generated_tokens / done * max(0.0, rollouts - done))


async def _grow_tree(state: JobState, task: TreeTask) -> TreeSummary:
    """Grow and store the tree of one task; return its summary, or a quarantine reason after ``max_attempts`` tries.

    An OSError of the store is not the problem's fault and ends the search.
    """
    seed, reason = tree_seed(state.spec.seed, *task.key), ""
    for attempt in range(state.spec.worker.max_attempts):
        async with state.tree_slot():
            try:
                tree = await _search(state, task, seed)
                summary = summarise(tree)
            except Exception as error:  # noqa: BLE001 the boundary of a problem: a failure is counted, the run goes on
                reason = f"{type(error).__name__}: {_last_line(error)} (try {attempt + 1})"
                continue
            state.output.append(tree)
            return summary
    return TreeSummary(problem_id=task.problem.id, number=task.number, seed=seed, quarantine_reason=reason)


async def _search(state: JobState, task: TreeTask, seed: int) -> Tree:
    visible = task.problem.without_answer() if state.spec.blind else task.problem
    services = replace(state.services, on_start=partial(state.growing.__setitem__, task.key))
    try:
        with state.traced(task, seed):
            tree = await state.strategy.search(visible, services, seed)
    finally:
        state.growing.pop(task.key, None)
    tree.problem, tree.number = task.problem, task.number
    tree.models, tree.reward_kind = dict(state.spec.models), state.spec.reward_kind
    return tree


def _last_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"
