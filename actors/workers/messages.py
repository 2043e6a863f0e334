"""Define the messages between the driver and its search workers: jobs, summaries and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.config import EngineConfig, WorkerConfig
from actors.endpoints.capabilities import Endpoint
from actors.sandbox.config import ExecutorConfig
from actors.stats import WorkerStats
from search.config import SearchConfig
from search.data import Cost, ModelRef, Problem
from search.formats.base import StepFormat
from search.grading.grader import grader
from search.reward_models import RewardAdapter, RewardModelKind
from search.storage.object_store import ObjectStore
from search.tree import ROOT, Tree, TreeKey


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEngines:
    """Handles of the engines of one policy and the settings of their pool; none for a policy behind the first one's server.

    ``model`` is the one that the engines must serve; None accepts any.
    """

    handles: tuple[Any, ...]
    config: EngineConfig
    model: ModelRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """Handles of the actors that a worker calls, with the settings of their pools.

    ``reward_model`` is empty for a search without one. ``further`` holds the policies beside the first, by role:
    "second_policy", "policy_2" and so on. Each ModelRef is the model that the engines must serve; None accepts any.
    ``endpoint`` and ``judge_endpoint`` are servers that are asked in place of ``policy`` and ``reward_model``.
    """

    policy: tuple[Any, ...]
    policy_config: EngineConfig
    executors: tuple[Any, ...]
    executor_config: ExecutorConfig
    reward_model: tuple[Any, ...] = ()
    reward_model_config: EngineConfig = field(default_factory=EngineConfig)
    policy_ref: ModelRef | None = None
    reward_model_ref: ModelRef | None = None
    further: Mapping[str, PolicyEngines] = field(default_factory=dict)
    endpoint: Endpoint | None = None
    judge_endpoint: Endpoint | None = None

    @property
    def capacity(self) -> tuple[int, int]:
        """Sequences that all policy engines, and all reward models, process at once."""
        policies = len(self.policy) * self.policy_config.max_num_seqs
        policies += sum(len(engines.handles) * engines.config.max_num_seqs for engines in self.further.values())
        reward_models = len(self.reward_model) * self.reward_model_config.max_num_seqs
        return (
            policies + (self.endpoint.config.max_inflight if self.endpoint else 0),
            reward_models + (self.judge_endpoint.config.max_inflight if self.judge_endpoint else 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpec:
    """The settings that all workers of one search share.

    ``format`` is the policy's, and that of the steps in the trees. ``further_formats`` are those in which the policies beside
    it are prompted, by role; without one: as the policy. ``reward_adapter`` shows states to the reward model.
    ``blind``: strategies see neither reference answers nor a grader; a summary still says whether the answer was
    correct. ``models``: names stored in every tree, by role, and ``reward_kind`` with them. Trees go to ``directory``, which
    has the driver's ``mark``; without one none is looked for. ``store``: of a run in an object store, where ``directory`` is
    on each machine's own disk and workers upload what they write. A tree's seed is derived from ``seed``, its problem's id
    and its number.
    """

    search: SearchConfig
    format: StepFormat
    directory: Path
    seed: int
    further_formats: Mapping[str, StepFormat] = field(default_factory=dict)
    reward_adapter: RewardAdapter | None = None
    blind: bool = False
    models: dict[str, str] = field(default_factory=dict)
    reward_kind: RewardModelKind | None = None
    worker: WorkerConfig = field(default_factory=WorkerConfig)
    mark: str = ""
    store: ObjectStore | None = None


@dataclass(frozen=True, slots=True)
class SearchJob:
    """One search, as a worker receives it. A worker that receives another ``id`` drops its old job."""

    id: str
    spec: SearchSpec
    engines: Engines


@dataclass(frozen=True, slots=True)
class TreeTask:
    """A tree to grow: its problem and its number among the trees of that problem."""

    problem: Problem
    number: int = 0

    @property
    def key(self) -> TreeKey:
        return self.problem.id, self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSummary:
    """The result of one tree. ``quarantine_reason`` says why there is none; empty where there is one.

    ``solved``: some node of the tree is correct. ``correct``: the answer that the strategy chose is correct.
    ``rollouts``: passes from the root to an end, 0 for a strategy that has none.
    """

    problem_id: str
    number: int = 0
    seed: int
    answer: str | None = None
    solved: bool = False
    correct: bool = False
    nodes: int = 0
    rollouts: int = 0
    cost: Cost = field(default_factory=Cost)
    failures: dict[str, int] = field(default_factory=dict)
    quarantine_reason: str = ""

    @property
    def key(self) -> TreeKey:
        return self.problem_id, self.number


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """Summaries of the trees finished since the last report, maybe none, and the worker's heartbeat."""

    summaries: list[TreeSummary]
    stats: WorkerStats


def summarise(tree: Tree) -> TreeSummary:
    """Return the summary of a finished tree. Without a reference answer its answer counts as not correct."""
    return TreeSummary(
        problem_id=tree.problem.id,
        number=tree.number,
        seed=tree.seed,
        answer=tree.answer,
        solved=tree.is_solved,
        correct=bool(tree.problem.answer) and grader().grade(tree.problem, tree.answer),
        nodes=len(tree.nodes),
        rollouts=tree.nodes[ROOT].visits,
        cost=tree.cost,
        failures=dict(tree.failures),
    )
