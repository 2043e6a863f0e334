"""What travels between the driver and search workers: assignments, jobs, summaries and reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.config import EngineConfig, WorkerConfig
from actors.sandbox.config import ExecutorConfig
from actors.stats import WorkerStats
from search.config import SearchConfig
from search.data import Cost, ModelRef
from search.formats.registry import StepFormat
from search.grading.grader import grader
from search.tree import ROOT, Tree


@dataclass(frozen=True, slots=True)
class Engines:
    """Handles of what a worker calls, with the settings of their pools. No reward_model: a search must do without.
    ``second`` are those of another policy, under the settings of the first.

    The models are what the engines are to serve; None leaves it to them.
    """

    policy: tuple[Any, ...]
    policy_config: EngineConfig
    executors: tuple[Any, ...]
    executor_config: ExecutorConfig
    reward_model: tuple[Any, ...] = ()
    reward_model_config: EngineConfig = field(default_factory=EngineConfig)
    policy_ref: ModelRef | None = None
    reward_model_ref: ModelRef | None = None
    second: tuple[Any, ...] = ()
    second_policy_ref: ModelRef | None = None

    @property
    def places(self) -> tuple[int, int]:
        """Sequences that all policy engines, and all reward models, work on at once."""
        policies = len(self.policy) + len(self.second)
        return policies * self.policy_config.max_num_seqs, len(
            self.reward_model
        ) * self.reward_model_config.max_num_seqs


@dataclass(frozen=True, slots=True)
class SearchSpec:
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
class TreeSummary:
    """What became of one problem. ``quarantined`` is the reason why there is no tree, empty where there is one.

    ``solved``: some node of the tree is right. ``correct``: the answer the strategy settled on is right. ``rollouts``:
    passes from the root to an end, 0 for a strategy that has none.
    """

    problem_id: str
    seed: int
    answer: str | None = None
    solved: bool = False
    correct: bool = False
    nodes: int = 0
    rollouts: int = 0
    cost: Cost = field(default_factory=Cost)
    failures: dict[str, int] = field(default_factory=dict)
    quarantined: str = ""


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """Trees that were finished since the last report, and how the worker does. There may be none."""

    summaries: list[TreeSummary]
    pulse: WorkerStats


def summarise(tree: Tree) -> TreeSummary:
    """The summary of a finished tree that holds its problem's reference answer."""
    correct = grader().grade(tree.problem, tree.answer)
    return TreeSummary(
        tree.problem.id,
        tree.seed,
        tree.answer,
        tree.solved,
        correct,
        len(tree.nodes),
        tree.nodes[ROOT].visits,
        tree.cost,
        dict(tree.failures),
    )


@dataclass(frozen=True, slots=True)
class SearchJob:
    """One search as a worker is given it. Workers that are handed another ``id`` start afresh on its assignment."""

    id: str
    assignment: SearchSpec
    engines: Engines
