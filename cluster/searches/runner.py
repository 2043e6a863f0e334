"""Run searches: keep engines, executors and workers between searches, and summarise the trees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from actors.engines.manager import EngineManager
from actors.pools.engine_pool import RewardModelPool
from actors.pools.executor_pool import count_restarts, describe_isolation, start_executors, stop_executors
from actors.workers.messages import Engines, PolicyEngines, SearchSpec
from actors.workers.worker_pool import SearchWorkerPool
from cluster.config.run_config import RunConfig
from cluster.run.context import Context
from cluster.run.models import POLICY, REWARD_MODEL, fit_search, further_engines, policy_engine
from cluster.searches.estimate import TimeEstimate
from cluster.searches.hosts import read_hosts
from cluster.searches.monitor import SearchMonitor
from cluster.searches.prometheus import SearchMetrics
from cluster.searches.reconcile import VISIBLE_S, describe_missing, missing_trees, require_trees
from cluster.searches.result import SearchResult, summarise_trees
from cluster.searches.stats import SearchStats
from cluster.searches.stored_trees import keep_trees
from cluster.traces.text import describe_waiting
from cluster.traces.waiting import store_waiting
from search.config import SearchConfig
from search.data import Cost, ModelRef, Problem
from search.errors import UserError
from search.protocols import SECOND_POLICY, RewardModel
from search.reward_models import RewardAdapter
from search.reward_models.judge import Judge
from search.seeds import derive
from search.storage.directory_mark import write_mark
from search.strategies.registry import entry_of
from search.tree import TreeKey

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


SEARCH_TRIES = 2  # how often a tree is grown that is reported and not stored


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """One search: its config, models and problems.

    ``seed``: the key that the seeds of its trees are derived from. ``label``: its name in progress, log and metrics.
    ``blind``: strategies see neither answers nor a grader, as in every evaluation. ``further``: the policies beside the first, by the
    role that each has in the search, for strategies that use them.
    """

    config: SearchConfig
    policy: ModelRef
    reward_model: ModelRef | None
    problems: tuple[Problem, ...]
    seed: tuple[object, ...]
    label: str
    blind: bool = False
    further: Mapping[str, ModelRef] = field(default_factory=dict)

    @property
    def models(self) -> tuple[ModelRef, ...]:
        """All models that the search uses, each once."""
        refs = (self.policy, *self.further.values(), self.reward_model)
        return tuple(dict.fromkeys(ref for ref in refs if ref is not None))

    @property
    def tree_keys(self) -> set[TreeKey]:
        """The keys of all trees that the search grows."""
        return {(problem.id, number) for problem in self.problems for number in range(self.config.trees)}


class SearchRunner:
    """Engines, executors and search workers of one run, kept between searches. A context manager that stops them."""

    def __init__(self, context: Context) -> None:
        self.context = context
        config = context.config
        self.engine_manager = EngineManager(
            config.policy.engine,
            config.reward_model.engine,
            adapter_of=lambda model: context.reward_adapter(model, config.policy.path),
            further=further_engines(config),
            placer=context.placer,
        )
        self._worker_pool = SearchWorkerPool(context.config.workers, context.placer)
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
        self, policy: ModelRef, reward_model: ModelRef | None, further: Mapping[str, ModelRef] | None = None
    ) -> Engines:
        """Start engines for these models, unless they run already, and return the handles of all actors."""
        config = self.context.config
        endpoints = self.context.endpoints
        refs = (policy, *(further or {}).values(), reward_model)
        models = tuple(dict.fromkeys(ref for ref in refs if ref is not None and not endpoints.serves(ref.path)))
        if missing := self.engine_manager.missing(*models):
            counts = self.engine_manager.counts(*models)
            with self.context.progress.phase(f"loading {describe_loads(missing, config, counts)}"):
                self.engine_manager.start(*models)
        if not self._executors:
            with self.context.progress.phase("starting the sandbox", quiet=True):
                self._executors = tuple(start_executors(config.executor, placer=self.context.placer))
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
            further={
                role: PolicyEngines(handles=self._handles(ref), config=policy_engine(config, ref.role), model=ref)
                for role, ref in (further or {}).items()
            },
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

    def keep_trees(self, plan: SearchPlan, directory: Path) -> set[TreeKey]:
        """Return the keys of the plan's trees in ``directory``, after damaged and foreign lines are dropped."""
        problems = {problem.id: problem for problem in plan.problems}
        seed = derive(self.context.config.seed, *plan.seed)
        store = self.context.run.store
        if store is not None:
            store.pull(directory)
        finished = keep_trees(directory, problems, seed, self.context.progress.log, plan.config.trees)
        if store is not None and directory.exists():
            store.push(directory)  # files from which lines were dropped
        return finished

    def run(self, plan: SearchPlan, directory: Path) -> SearchResult:
        """Grow the trees that ``directory`` does not hold yet; return the totals of all trees there."""
        directory.mkdir(parents=True, exist_ok=True)
        finished = self.keep_trees(plan, directory)
        open_trees = len(plan.tree_keys - finished)
        quarantined: dict[TreeKey, str] = {}
        occupancy, disturbances, algebra, hosts = None, dict[str, int](), dict[str, int](), dict[str, str]()
        if open_trees:
            config = self.context.config
            spec = search_spec(self.context, plan, directory)
            if spec.mark:
                write_mark(directory, spec.mark)
            engines = self.engines(plan.policy, plan.reward_model, plan.further)
            metrics = SearchMetrics(config.name, plan.label, open_trees)
            stats = SearchStats(*engines.capacity)
            restarts_before = count_restarts(self._executors)
            rollouts = entry_of(plan.config).rollouts
            estimate = TimeEstimate(open_trees, (rollouts(plan.config) or None) if rollouts is not None else None)
            with SearchMonitor(
                self.context.progress,
                plan.label,
                len(plan.tree_keys),
                len(finished),
                metrics=metrics,
                stats=stats,
                estimate=estimate,
                blind=plan.blind,
                trees=plan.config.trees,
            ) as monitor:
                counts = self._grow(spec, engines, plan, finished, monitor)
                monitor.finish()
            quarantined, occupancy = monitor.quarantined, stats.mean_occupancy
            restarts = count_restarts(self._executors) - restarts_before
            disturbances = count_disturbances(counts, restarts)
            hosts = read_hosts(engines, self._worker_pool.workers) if self.context.session.joined else {}
            algebra = count_algebra(counts)
            if disturbances:
                self.context.progress.log(f"{plan.label}: {describe_disturbances(disturbances)}")
        result = summarise_trees(directory, quarantined)
        require_trees(plan.label, len(plan.problems), result.trees, quarantined)
        if result.repeats:
            self.context.progress.log(f"{plan.label}: {result.repeats} trees were stored twice and are read once")
        if (waiting := store_waiting(directory)) is not None:  # of a search whose spans were recorded
            self.context.progress.log(f"{plan.label}: {describe_waiting(waiting)}")
        result.price = self._price(result.cost)
        result.occupancy, result.disturbances, result.algebra, result.hosts = occupancy, disturbances, algebra, hosts
        return result

    def _grow(
        self, spec: SearchSpec, engines: Engines, plan: SearchPlan, finished: set[TreeKey], monitor: SearchMonitor
    ) -> Counter[str]:
        """Grow the plan's trees that are not ``finished``, and once more those that are reported and not stored.

        Returns the counts of the workers' pools. Raises UserError if trees are missing after that too.
        """
        counts: Counter[str] = Counter()
        for _ in range(SEARCH_TRIES):
            self._worker_pool.run(spec, engines, plan.problems, monitor.on_summary, monitor.on_stats, finished)
            counts.update(self._worker_pool.counts)
            if spec.store is not None:
                spec.store.pull(spec.directory)
            reported = plan.tree_keys - monitor.quarantined.keys()
            missing = missing_trees(spec.directory, reported, VISIBLE_S if spec.store is None else 0.0)
            if not missing:
                return counts
            fault = describe_missing(missing, len(reported), spec.directory)
            self.context.progress.log(f"warning: {plan.label}: {fault}: they are searched again")
            monitor.reopen(len(missing))
            finished = plan.tree_keys - missing
        raise UserError(
            f"{plan.label}: {fault}, searched {SEARCH_TRIES} times: the run directory must be on storage that all nodes "
            "reach"
        )

    def _price(self, cost: Cost) -> float | None:
        """Return what a search's tokens cost by the declared prices of the policy's server, None without them."""
        endpoint = self.context.config.policy.endpoint
        if endpoint is None:
            return None
        return endpoint.price(cost.prompt_tokens, cost.cached_tokens, cost.generated_tokens)


def search_spec(context: Context, plan: SearchPlan, directory: Path) -> SearchSpec:
    """Return what the workers get of a plan. Each of its models is prompted in its own format."""
    policy, reward_model = plan.policy, plan.reward_model
    prompting = context.prompting
    adapter = context.reward_adapter(reward_model, policy.path) if reward_model else None
    return SearchSpec(
        search=fit_search(plan.config, reward_model, context.config.reward_model),
        format=prompting.policy_format(policy.path),
        further_formats={role: prompting.policy_format(ref.path) for role, ref in plan.further.items()},
        reward_adapter=adapter,
        directory=directory,
        seed=derive(context.config.seed, *plan.seed),
        blind=plan.blind,
        models={ref.role: _stored_name(ref) for ref in plan.models},
        reward_kind=adapter.kind if adapter else None,
        worker=context.config.workers,
        mark="" if context.run.store else uuid4().hex,
        store=context.run.store,
    )


def _stored_name(model: ModelRef) -> str:
    """Return what trees say of a model: its role and round, of one that no round makes its name."""
    is_made = model.role in (POLICY, REWARD_MODEL, SECOND_POLICY)
    return f"{model.role} of round {model.round}" if is_made else short_name(model)


def describe_loads(models: Sequence[ModelRef], config: RunConfig, by_role: Mapping[str, int] | None = None) -> str:
    """Return which models are loaded on how many engines: "policy Qwen2.5-0.5B, reward model prm on 1 + 2 engines".

    ``by_role``: numbers of engines, where they are not those of the config.
    """
    engines = {REWARD_MODEL: config.reward_model.engine}
    of_config = {model.role: engines.get(model.role, policy_engine(config, model.role)).replicas for model in models}
    counts = [(by_role or of_config)[model.role] for model in models]
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
