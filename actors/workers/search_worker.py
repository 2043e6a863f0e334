"""The search worker: one asyncio loop that grows many trees at once, stores them and reports each in a few words.

Knows how strategy, tools and store come together. Knows no strategy, and sends no tree through Ray: a tree goes to
the worker's own file as soon as it is finished, and only its Summary travels.

    problems ──> place (trees_in_flight) ──> strategy.search ──> store ──> Summary ──> Report
                                                 └─ raised: again, then quarantine
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from actors.cpu_affinity import apply_affinity
from actors.pools.engine_pool import PolicyPool, RewardModelPool
from actors.pools.executor_pool import ExecutorPool
from actors.stats import PoolStats, WorkerStats
from actors.workers.messages import SearchJob, TreeSummary, WorkerReport, summarise
from search.data import Problem
from search.grading.grader import grader
from search.protocols import SearchServices
from search.seeds import derive
from search.storage.tree_store import TreeWriter, worker_file
from search.strategies.registry import build
from search.tree import Tree

GARBAGE_EVERY = 20_000  # new objects between two garbage collections; Python's default is less than an expansion makes
REPORT_S = 0.25  # trees that are finished within it are reported together
PULSE_S = 1.0  # a worker is heard of so often, whether a tree is finished or not
SYNC_EVERY = 16  # trees between two forced writes to the disk; a killed process loses none of them


class JobState:
    """What a worker needs for one job: the strategy, the tools of all its trees and the file they go to."""

    def __init__(self, job: SearchJob, index: int) -> None:
        self.job, self.assignment = job, job.assignment
        self.strategy = build(job.assignment.search)
        self.writer = TreeWriter(worker_file(job.assignment.directory, index), SYNC_EVERY)
        self._places = asyncio.Semaphore(job.assignment.worker.trees_in_flight)
        self.growing, self._told = 0, monotonic()
        engines, form = job.engines, job.assignment.format
        self.policy = PolicyPool(engines.policy, form, engines.policy_config, engines.policy_ref)
        self.reward_model = None
        if engines.reward_model:
            self.reward_model = RewardModelPool(
                engines.reward_model, form, engines.reward_model_config, engines.reward_model_ref
            )
        self.second = None
        if engines.second:
            self.second = PolicyPool(engines.second, form, engines.policy_config, engines.second_policy_ref)
            self.second.kind = "second"
        self.executor = ExecutorPool(engines.executors, engines.executor_config)
        judge = None if job.assignment.blind else grader()
        self.tools = SearchServices(self.policy, self.executor, form, self.reward_model, judge, self.second)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Room for one more tree, once there is some."""
        async with self._places:
            self.growing += 1
            try:
                yield
            finally:
                self.growing -= 1

    @property
    def pools(self) -> list[PolicyPool | RewardModelPool]:
        return [pool for pool in (self.policy, self.second, self.reward_model) if pool is not None]

    def counts(self) -> dict[str, int]:
        """What the pools counted, as "policy_retries" and the like."""
        return {f"{pool.kind}_{name}": number for pool in self.pools for name, number in pool.counts.items()}

    @property
    def silent(self) -> bool:
        """Whether nobody was told of this worker for as long as it may be."""
        return monotonic() - self._told >= PULSE_S

    def pulse(self) -> WorkerStats:
        """What is in hand and was done in this job so far; the second policy counts with the first."""
        self._told = monotonic()
        policies = [pool for pool in (self.policy, self.second) if pool is not None]
        busy, waiting = (sum(loads) for loads in zip(*(pool.load for pool in policies), strict=True))
        judge, (judging, unjudged) = (
            (self.reward_model.meter, self.reward_model.load) if self.reward_model else (PoolStats(), (0, 0))
        )
        return WorkerStats(
            growing=self.growing,
            expansions=sum(pool.meter.answers for pool in policies),
            generated_tokens=sum(pool.meter.made for pool in policies),
            prompt_tokens=sum(pool.meter.prompt_tokens for pool in policies),
            cached_tokens=sum(pool.meter.cached_tokens for pool in policies),
            scored=judge.made,
            reward_model_tokens=judge.prompt_tokens,
            reward_model_cached=judge.cached_tokens,
            executions=self.executor.executions,
            policy_busy=busy,
            policy_waiting=waiting,
            reward_model_busy=judging,
            reward_model_waiting=unjudged,
            programs=self.executor.busy,
        )

    def close(self) -> None:
        """Force the trees to the disk, let go of the file and hang up on engines and executors."""
        self.writer.close()
        for pool in (*self.pools, self.executor):
            pool.close()


class SearchWorker:
    """Grows trees for the problems it is handed. A Ray async actor that its crowd keeps between searches."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._desk: JobState | None = None
        apply_affinity()
        gc.freeze()  # the modules are no garbage, and need not be looked through for it
        gc.set_threshold(GARBAGE_EVERY)

    def __repr__(self) -> str:
        return f"search-{self._index}"

    async def run(self, job: SearchJob, problems: tuple[Problem, ...]) -> AsyncIterator[WorkerReport]:
        """One Summary a problem, those of all trees that were finished within REPORT_S in one Report, since each takes Ray
        a millisecond; and a Report without any where the worker would else be silent for PULSE_S."""
        if self._desk is None or self._desk.job.id != job.id:
            await self.release()
            self._desk = JobState(job, self._index)
        desk = self._desk
        growing = {asyncio.ensure_future(_grow(desk, problem)) for problem in problems}
        try:
            while growing:
                done, _ = await asyncio.wait(growing, timeout=PULSE_S, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    done, growing = await asyncio.wait(growing, timeout=REPORT_S)
                if done or desk.silent:
                    yield WorkerReport([task.result() for task in done], desk.pulse())
        finally:
            for task in growing:
                task.cancel()

    async def counts(self) -> dict[str, int]:
        """What the pools counted in the job at hand: requests, retries, engines that died, prompts too long."""
        return self._desk.counts() if self._desk is not None else {}

    async def pid(self) -> int:
        return os.getpid()

    async def release(self) -> None:
        """End the job at hand: its trees are on the disk and nobody is asked any more."""
        if self._desk is not None:
            self._desk.close()
            self._desk = None


async def _grow(desk: JobState, problem: Problem) -> TreeSummary:
    """The tree of one problem, stored, in brief; or, after as many tries as the config allows, why there is none.

    A store that cannot be written to (OSError) is no problem's fault and ends the search.
    """
    seed, reason = derive(desk.assignment.seed, problem.id), ""
    for attempt in range(desk.assignment.worker.attempts):
        async with desk.place():
            try:
                tree = await _search(desk, problem, seed)
                summary = summarise(tree)
            except Exception as error:  # noqa: BLE001 the boundary of a problem: a failure is counted, the run goes on
                reason = f"{type(error).__name__}: {_line(error)} (try {attempt + 1})"
                continue
            desk.writer.append(tree)
            return summary
    return TreeSummary(problem.id, seed, quarantined=reason)


async def _search(desk: JobState, problem: Problem, seed: int) -> Tree:
    seen = problem.blind() if desk.assignment.blind else problem
    tree = await desk.strategy.search(seen, desk.tools, seed)
    tree.problem = problem
    tree.models = dict(desk.assignment.models)
    return tree


def _line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"
