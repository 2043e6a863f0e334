"""Run searches: keep engines, executors and workers between searches, and summarise the trees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from actors.engines.manager import EngineManager
from actors.pools.engine_pool import RewardModelPool
from actors.pools.executor_pool import count_restarts, describe_isolation, start_executors, stop_executors
from actors.workers.messages import Engines, SearchSpec
from actors.workers.worker_pool import SearchWorkerPool
from cluster.config.run_config import RunConfig
from cluster.run.context import Context
from cluster.run.models import fit_search
from cluster.searches.estimate import TimeEstimate
from cluster.searches.monitor import SearchMonitor
from cluster.searches.prometheus import SearchMetrics
from cluster.searches.stats import SearchStats
from cluster.searches.stored_trees import keep_trees
from search.config import SearchConfig
from search.data import Cost, ModelRef, Problem, StepStatus
from search.protocols import RewardModel
from search.reward_models import RewardAdapter
from search.reward_models.judge import Judge
from search.seeds import derive
from search.storage.tree_store import read_trees
from search.strategies.registry import entry_of

# Counts of the workers' pools that say that something failed and was tried again or given up; see their ``counts``.
DISTURBANCES = (
    "engine_died",
    "timeout",
    "wrong_model",
    "revival_failed",
    "retries",
    "gave_up",
    "rate_limited",
    "server_failed",
    "unreachable",
)


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
    those whose program ran. ``price``: what the tokens of all trees cost by the prices of ``policy.endpoint``, None without
    prices. ``occupancy``: mean share of the policy engines' capacity in use during this start; None if
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
    price: float | None = None
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
            "price": self.price,
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
        config = context.config
        self.engine_manager = EngineManager(
            config.policy.engine,
            config.reward_model.engine,
            adapter_of=lambda model: context.reward_adapter(model, config.policy.path),
        )
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
        endpoints = self.context.endpoints
        refs = (policy, second_policy, reward_model)
        models = tuple(dict.fromkeys(ref for ref in refs if ref is not None and not endpoints.serves(ref.path)))
        if missing := self.engine_manager.missing(*models):
            with self.context.progress.phase(f"loading {describe_loads(missing, config)}"):
                self.engine_manager.start(*models)
        if not self._executors:
            with self.context.progress.phase("starting the sandbox", quiet=True):
                self._executors = tuple(start_executors(config.executor, {"num_cpus": config.executor.num_cpus}))
                self.context.run.update_manifest(sandbox=describe_isolation(self._executors))
            if warning := self.context.run.manifest.isolation_warning:
                self.context.progress.log(warning)
        return Engines(
            policy=self._handles(policy),
            policy_config=config.policy.engine,
            executors=self._executors,
            executor_config=config.executor,
            reward_model=self._handles(reward_model),
            reward_model_config=config.reward_model.engine,
            policy_ref=policy,
            reward_model_ref=reward_model,
            second_policy=self._handles(second_policy),
            second_policy_ref=second_policy,
            endpoint=endpoints.policy if endpoints.serves(policy.path) else None,
            judge_endpoint=endpoints.judge if reward_model and endpoints.serves(reward_model.path) else None,
        )

    def _handles(self, model: ModelRef | None) -> tuple[Any, ...]:
        """Return the engines of a model; none for no model and for one behind a server."""
        if model is None or self.context.endpoints.serves(model.path):
            return ()
        return tuple(self.engine_manager.handles(model))

    def reward_model(self, model: ModelRef, adapter: RewardAdapter) -> RewardModel:
        """Return a reward model to score states with from this process, in a running loop; its engines are started."""
        judge = self.context.endpoints.judge
        if judge is not None and isinstance(adapter, Judge) and self.context.endpoints.serves(model.path):
            # The client of OpenAI takes a second to import, and most runs have no server.
            from actors.endpoints.judge import EndpointJudge

            return EndpointJudge(judge, adapter)
        handles = self.engine_manager.handles(model)
        return RewardModelPool(handles, adapter, self.context.config.reward_model.engine, model)

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
            spec = search_spec(self.context, plan, directory)
            engines = self.engines(plan.policy, plan.reward_model, plan.second_policy)
            metrics = SearchMetrics(config.name, plan.label, len(open_problems))
            stats = SearchStats(*engines.capacity)
            restarts_before = count_restarts(self._executors)
            rollouts = entry_of(plan.config).rollouts
            estimate = TimeEstimate(len(open_problems), rollouts(plan.config) if rollouts is not None else None)
            with SearchMonitor(
                self.context.progress,
                plan.label,
                len(plan.problems),
                len(finished),
                metrics=metrics,
                stats=stats,
                estimate=estimate,
                blind=plan.blind,
            ) as monitor:
                self._worker_pool.run(spec, engines, open_problems, monitor.on_summary, monitor.on_stats)
                monitor.finish()
            quarantined, occupancy = monitor.quarantined, stats.mean_occupancy
            restarts = count_restarts(self._executors) - restarts_before
            disturbances = count_disturbances(self._worker_pool.counts, restarts)
            algebra = count_algebra(self._worker_pool.counts)
            if disturbances:
                self.context.progress.log(f"{plan.label}: {describe_disturbances(disturbances)}")
        result = summarise_trees(directory, quarantined)
        result.price = self._price(result.cost)
        result.occupancy, result.disturbances, result.algebra = occupancy, disturbances, algebra
        return result

    def _price(self, cost: Cost) -> float | None:
        """Return what a search's tokens cost by the declared prices of the policy's server, None without them."""
        endpoint = self.context.config.policy.endpoint
        if endpoint is None:
            return None
        return endpoint.price(cost.prompt_tokens, cost.cached_tokens, cost.generated_tokens)


def search_spec(context: Context, plan: SearchPlan, directory: Path) -> SearchSpec:
    """Return what the workers get of a plan. Each of its models is prompted in its own format."""
    policy, second_policy, reward_model = plan.policy, plan.second_policy, plan.reward_model
    prompting = context.prompting
    adapter = context.reward_adapter(reward_model, policy.path) if reward_model else None
    return SearchSpec(
        search=fit_search(plan.config, reward_model, context.config.reward_model),
        format=prompting.policy_format(policy.path),
        second_format=prompting.policy_format(second_policy.path) if second_policy else None,
        reward_adapter=adapter,
        directory=directory,
        seed=derive(context.config.seed, *plan.seed),
        blind=plan.blind,
        models={ref.role: f"{ref.role} of round {ref.round}" for ref in plan.models},
        reward_kind=adapter.kind if adapter else None,
        worker=context.config.workers,
    )


def describe_loads(models: Sequence[ModelRef], config: RunConfig) -> str:
    """Return which models are loaded on how many engines: "policy Qwen2.5-0.5B, reward model prm on 1 + 2 engines"."""
    engines = {"reward_model": config.reward_model.engine}
    counts = [engines.get(model.role, config.policy.engine).replicas for model in models]
    names = ", ".join(f"{model.role.replace('_', ' ')} {short_name(model)}" for model in models)
    return f"{names} on {' + '.join(map(str, counts))} engine{'' if counts == [1] else 's'}"


def short_name(model: ModelRef) -> str:
    """Return the name of a model for people: its own on the Hub, that of its stage ("r2/train_policy"), or its directory's."""
    *_, first, second, last = ("", "", *Path(model.path).parts)
    if second == "snapshots":  # a snapshot in the Hub's cache: models--OWNER--NAME/snapshots/COMMIT
        return first.removeprefix("models--").replace("--", "/")
    return f"{first}/{second}" if last == "model" and first else last


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
