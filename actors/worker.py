"""The search worker: one asyncio loop that grows many trees at once, stores them and reports each in a few words.

Knows how strategy, tools and store come together. Knows no strategy, and sends no tree through Ray: a tree goes to
the worker's own file as soon as it is finished, and only its Summary travels.

    problems ──> place (trees_in_flight) ──> strategy.search ──> store ──> Summary
                                                 └─ raised: again, then quarantine
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.config import EngineConfig, WorkerConfig
from actors.executor import ExecutorPool
from actors.pool import PolicyPool, ScorerPool
from actors.sandbox.config import ExecutorConfig
from search.config import SearchConfig
from search.formats import StepFormat
from search.grading import grader
from search.protocols import Executor, Policy, Scorer, Tools
from search.seeds import derive
from search.store import TreeWriter, worker_file
from search.strategies import build
from search.tree import Tree
from search.types import Cost, Problem

SYNC_EVERY = 16  # trees between two forced writes to the disk; a killed process loses none of them


@dataclass(frozen=True, slots=True)
class Engines:
    """Handles of what a worker calls, with the settings of their pools. No scorer: a search must do without."""

    policy: tuple[Any, ...]
    policy_config: EngineConfig
    executors: tuple[Any, ...]
    executor_config: ExecutorConfig
    scorer: tuple[Any, ...] = ()
    scorer_config: EngineConfig = field(default_factory=EngineConfig)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What all workers of one search do alike.

    ``blind``: strategies see neither reference answers nor a grader; a summary still says whether the answer was right.
    ``models``: names put into every tree, by role. Trees go to ``directory``; a tree's seed is derived from ``seed``
    and its problem's id.
    """

    search: SearchConfig
    format: StepFormat
    directory: Path
    seed: int
    blind: bool = False
    models: dict[str, str] = field(default_factory=dict)
    worker: WorkerConfig = field(default_factory=WorkerConfig)


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of one problem. ``quarantined`` is the reason why there is no tree, empty where there is one.

    ``solved``: some node of the tree is right. ``correct``: the answer the strategy settled on is right.
    """

    problem_id: str
    seed: int
    answer: str | None = None
    solved: bool = False
    correct: bool = False
    nodes: int = 0
    cost: Cost = Cost()
    failures: dict[str, int] = field(default_factory=dict)
    quarantined: str = ""


def summarise(tree: Tree) -> Summary:
    """The summary of a finished tree that holds its problem's reference answer."""
    correct = grader().grade(tree.problem, tree.answer)
    return Summary(
        tree.problem.id,
        tree.seed,
        tree.answer,
        tree.solved,
        correct,
        len(tree.nodes),
        tree.cost,
        dict(tree.failures),
    )


class SearchWorker:
    """Grows trees for the problems it is handed. A Ray async actor: ``search_actors`` makes it."""

    def __init__(self, assignment: Assignment, engines: Engines, index: int) -> None:
        self._assignment, self._engines, self._index = assignment, engines, index
        self._strategy = build(assignment.search)
        self._writer = TreeWriter(worker_file(assignment.directory, index), SYNC_EVERY)
        self._places = asyncio.Semaphore(assignment.worker.trees_in_flight)
        self._tools_made: Tools | None = None

    def __repr__(self) -> str:
        return f"search-{self._index} ({self._assignment.search.strategy})"

    async def run(self, problems: tuple[Problem, ...]) -> AsyncIterator[Summary]:
        """One Summary a problem, in the order in which the trees are finished."""
        grown = [asyncio.ensure_future(self._grow(problem)) for problem in problems]
        try:
            for summary in asyncio.as_completed(grown):
                yield await summary
        finally:
            for task in grown:
                task.cancel()

    async def counts(self) -> dict[str, int]:
        """What the worker's pools counted: requests, retries, engines that died, prompts that were too long."""
        tools = self._tools()
        counted: dict[str, int] = {}
        for pool in (tools.policy, tools.scorer):
            if isinstance(pool, PolicyPool | ScorerPool):
                counted |= {f"{pool.kind}_{name}": number for name, number in pool.counts.items()}
        return counted

    async def pid(self) -> int:
        return os.getpid()

    async def close(self) -> None:
        """Force the trees to the disk and let go of the file."""
        self._writer.close()

    async def _grow(self, problem: Problem) -> Summary:
        seed = derive(self._assignment.seed, problem.id)
        reason = ""
        for attempt in range(self._assignment.worker.attempts):
            async with self._places:
                try:
                    tree = await self._search(problem, seed)
                except Exception as error:  # the boundary of a problem: any failure is counted here, the run goes on
                    reason = f"{type(error).__name__}: {_line(error)} (try {attempt + 1})"
                    continue
            return summarise(tree)
        return Summary(problem.id, seed, quarantined=reason)

    async def _search(self, problem: Problem, seed: int) -> Tree:
        seen = problem.blind() if self._assignment.blind else problem
        tree = await self._strategy.search(seen, self._tools(), seed)
        tree.problem = problem
        tree.models = dict(self._assignment.models)
        self._writer.append(tree)
        return tree

    def _tools(self) -> Tools:
        """The tools of all trees, made once, in the loop in which they are used."""
        if self._tools_made is None:
            engines, format = self._engines, self._assignment.format
            policy: Policy = PolicyPool(engines.policy, format, engines.policy_config)
            executor: Executor = ExecutorPool(engines.executors, engines.executor_config)
            scorer: Scorer | None = None
            if engines.scorer:
                scorer = ScorerPool(engines.scorer, format, engines.scorer_config)
            judge = None if self._assignment.blind else grader()
            self._tools_made = Tools(policy, executor, format, scorer, judge)
        return self._tools_made


def _line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"
