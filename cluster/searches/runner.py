"""Run searches: keep engines, executors and workers between searches, and summarise the trees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from actors.engines.manager import EngineManager
from actors.pools.executor_pool import count_restarts, describe_isolation, start_executors, stop_executors
from actors.workers.messages import Engines, SearchSpec
from actors.workers.worker_pool import SearchWorkerPool
from cluster.run.context import Context
from cluster.run.models import scale_squash
from cluster.searches.monitor import SearchMonitor
from cluster.searches.prometheus import SearchMetrics
from cluster.searches.stats import SearchStats
from cluster.searches.stored_trees import keep_trees
from search.config import SearchConfig
from search.data import Cost, ModelRef, Problem, StepStatus
from search.reward_models import read_kind
from search.seeds import derive
from search.storage.tree_store import read_trees

# Counts of the workers' pools that say that something failed and was tried again or given up; see their ``counts``.
DISTURBANCES = ("engine_died", "timeout", "wrong_model", "revival_failed", "retries", "gave_up")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """One search: its config, models and problems.

    ``seed``: the key that the seeds of its trees are derived from. ``label``: its name in progress, log and metrics.
    ``blind``: strategies see neither answers nor a grader, as in every evaluation. ``second_policy``: for strategies that
    use one.
    """

    config: SearchConfig
    policy: ModelRef
    reward_model: ModelRef | None
    problems: tuple[Problem, ...]
    seed: tuple[object, ...]
    label: str
    blind: bool = False
    second_policy: ModelRef | None = None

    @property
    def models(self) -> tuple[ModelRef, ...]:
        """All models that the search uses, each once."""
        refs = (self.policy, self.second_policy, self.reward_model)
        return tuple(dict.fromkeys(ref for ref in refs if ref is not None))


@dataclass(slots=True)
class SearchResult:
    """Totals over the trees of a search.

    ``ties``: trees whose answer only its order put before an equally good one. ``steps``: steps with code. ``steps_ran``:
    those whose program ran. ``occupancy``: mean share of the policy engines' capacity in use during this start; None if
    nothing was left to search. ``disturbances``: during this start, what failed in engines and executors and was tried
    again or given up, such as "policy_engine_died", "executor_retries" or "executor_restarts"; those that are not 0.
    ``algebra``: pairs of answers that normal forms did not decide, during this start: "compared" by algebra, and of these
    cut by "time", "memory" or "crash", or "undecided".
    """

    trees: int = 0
    solved: int = 0
    ties: int = 0
    steps: int = 0
    steps_ran: int = 0
    cost: Cost = field(default_factory=Cost)
    failures: Counter[str] = field(default_factory=Counter)
    quarantined: dict[str, str] = field(default_factory=dict)
    occupancy: float | None = None
    disturbances: dict[str, int] = field(default_factory=dict)
    algebra: dict[str, int] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Return the result as plain data for the stage's record."""
        return {
            "trees": self.trees,
            "trees_solved": self.solved,
            "trees_tied": self.ties,
            "steps": self.steps,
            "steps_ran": self.steps_ran,
            "tokens": self.cost.generated_tokens,
            "prompt_tokens": self.cost.prompt_tokens,
            "cached_tokens": self.cost.cached_tokens,
            "scored_tokens": self.cost.scored_tokens,
            "scored_cached_tokens": self.cost.scored_cached_tokens,
            "requests": self.cost.requests,
            "executions": self.cost.executions,
            "occupancy": self.occupancy,
            "failures": dict(self.failures),
            "disturbances": self.disturbances,
            "graded_by_algebra": self.algebra.get("compared", 0),
            "verdicts_cut": {name: self.algebra[name] for name in sorted(self.algebra) if name != "compared"},
            "quarantined": self.quarantined,
        }


class SearchRunner:
    """Engines, executors and search workers of one run, kept between searches. A context manager that stops them."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.engine_manager = EngineManager(context.config.policy.engine, context.config.reward_model.engine)
        self._worker_pool = SearchWorkerPool(context.config.workers)
        self._executors: tuple[Any, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop all actors and release their resources. A later search starts new ones."""
        self._worker_pool.stop()
        self.engine_manager.stop()
        stop_executors(self._executors)
        self._executors = ()

    def engines(
        self, policy: ModelRef, reward_model: ModelRef | None, second_policy: ModelRef | None = None
    ) -> Engines:
        """Start engines for these models, unless they run already, and return the handles of all actors."""
        config = self.context.config
        self.engine_manager.start(
            *dict.fromkeys(ref for ref in (policy, second_policy, reward_model) if ref is not None)
        )
        if not self._executors:
            self._executors = tuple(start_executors(config.executor, {"num_cpus": config.executor.num_cpus}))
            self.context.run.update_manifest(sandbox=describe_isolation(self._executors))
            if warning := self.context.run.manifest.isolation_warning:
                self.context.progress.log(warning)
        return Engines(
            policy=tuple(self.engine_manager.handles(policy)),
            policy_config=config.policy.engine,
            executors=self._executors,
            executor_config=config.executor,
            reward_model=tuple(self.engine_manager.handles(reward_model)) if reward_model else (),
            reward_model_config=config.reward_model.engine,
            policy_ref=policy,
            reward_model_ref=reward_model,
            second_policy=tuple(self.engine_manager.handles(second_policy)) if second_policy else (),
            second_policy_ref=second_policy,
        )

    def keep_trees(self, plan: SearchPlan, directory: Path) -> set[str]:
        """Return the ids of the problems with a tree in ``directory``, after damaged and foreign lines are dropped."""
        problems, seed = (
            {problem.id: problem for problem in plan.problems},
            derive(self.context.config.seed, *plan.seed),
        )
        return keep_trees(directory, problems, seed, self.context.progress.log)

    def run(self, plan: SearchPlan, directory: Path) -> SearchResult:
        """Grow a tree for every problem that has none in ``directory`` yet; return the totals of all trees there."""
        directory.mkdir(parents=True, exist_ok=True)
        finished = self.keep_trees(plan, directory)
        open_problems = tuple(problem for problem in plan.problems if problem.id not in finished)
        quarantined: dict[str, str] = {}
        occupancy, disturbances, algebra = None, dict[str, int](), dict[str, int]()
        if open_problems:
            config = self.context.config
            spec = SearchSpec(
                search=scale_squash(plan.config, plan.reward_model),
                format=config.policy.step_format(self.context.shots),
                directory=directory,
                seed=derive(config.seed, *plan.seed),
                blind=plan.blind,
                models={ref.role: f"{ref.role} of round {ref.round}" for ref in plan.models},
                reward_kind=read_kind(Path(plan.reward_model.path)) if plan.reward_model is not None else None,
                worker=config.workers,
            )
            engines = self.engines(plan.policy, plan.reward_model, plan.second_policy)
            metrics = SearchMetrics(config.name, plan.label, len(open_problems))
            stats = SearchStats(*engines.capacity)
            restarts_before = count_restarts(self._executors)
            with self.context.progress.task(plan.label, len(plan.problems), done=len(finished)) as task:
                monitor = SearchMonitor(task=task, metrics=metrics, stats=stats, blind=plan.blind)
                self._worker_pool.run(spec, engines, open_problems, monitor.on_summary, monitor.on_stats)
                monitor.finish()
            quarantined, occupancy = monitor.quarantined, stats.mean_occupancy
            restarts = count_restarts(self._executors) - restarts_before
            disturbances = count_disturbances(self._worker_pool.counts, restarts)
            algebra = count_algebra(self._worker_pool.counts)
            if disturbances:
                self.context.progress.log(f"{plan.label}: {describe_disturbances(disturbances)}")
        result = summarise_trees(directory, quarantined)
        result.occupancy, result.disturbances, result.algebra = occupancy, disturbances, algebra
        return result


def count_disturbances(pool_counts: Mapping[str, int], executor_restarts: int) -> dict[str, int]:
    """Return the counts of failures in the pools and of fork servers' restarts that are not 0, in the order of names.

    ``executor_restarts`` may be negative, where an executor actor died and began to count anew; it is left out then.
    """
    counts = {name: number for name, number in pool_counts.items() if name.endswith(DISTURBANCES)}
    counts["executor_restarts"] = executor_restarts
    return {name: number for name, number in sorted(counts.items()) if number > 0}


def count_algebra(pool_counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts of the workers' algebra by their names in ``search.grading.algebra.pool``; those that are not 0."""
    prefix = "algebra_"
    return {
        name.removeprefix(prefix): number for name, number in pool_counts.items() if name.startswith(prefix) and number
    }


def describe_disturbances(counts: Mapping[str, int]) -> str:
    """Return counts as text, such as "executor retries 2, policy engine died 1"."""
    return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in counts.items())


def summarise_trees(directory: Path, quarantined: dict[str, str]) -> SearchResult:
    """Return totals over the trees in a directory. Quarantined problems count as failures."""
    result = SearchResult(quarantined=quarantined)
    for tree in read_trees(directory):
        result.trees += 1
        result.solved += tree.is_solved
        result.ties += tree.tied_answers > 0
        result.cost = result.cost + tree.cost
        result.failures.update(tree.failures)
        for node in tree.nodes[1:]:
            if node.step is not None and node.step.code:
                result.steps += node.multiplicity
                result.steps_ran += node.multiplicity * (node.step.status is StepStatus.OPEN)
    result.failures.update({"quarantined": len(quarantined)} if quarantined else {})
    return result
