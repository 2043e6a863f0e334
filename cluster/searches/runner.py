"""Runs searches for stages: keeps engines and executors between them, feeds the workers, counts what came of it.

Knows which actors a search needs and that finished trees in a directory are not grown again. Knows no round.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from actors.engines.manager import EngineManager
from actors.pools.executor_pool import isolation, start_executors, stop_executors
from actors.workers.messages import Engines, SearchSpec
from actors.workers.worker_pool import SearchWorkerPool
from cluster.run.context import Context
from cluster.run.models import in_units
from cluster.searches.monitor import Watch
from cluster.searches.prometheus import SearchMetrics
from cluster.searches.stats import Vitals
from search.config import SearchConfig
from search.data import Cost, ModelRef, Problem, StepStatus
from search.seeds import derive
from search.storage.tree_store import finished_ids, read_trees


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """One search: which models, which problems, and the key that its seeds derive from.

    ``second`` is another policy for strategies that ask one. ``blind`` searches see neither answers nor a grader, as in
    every evaluation.
    """

    config: SearchConfig
    policy: ModelRef
    reward_model: ModelRef | None
    problems: tuple[Problem, ...]
    seed: tuple[object, ...]
    what: str
    blind: bool = False
    second: ModelRef | None = None

    @property
    def models(self) -> tuple[ModelRef, ...]:
        """All models that the search asks, each once."""
        return tuple(dict.fromkeys(ref for ref in (self.policy, self.second, self.reward_model) if ref is not None))


@dataclass(slots=True)
class SearchReport:
    """What a search did; costs are sums over its trees. ``occupancy``: share of the policy engines' places that was taken,
    a mean over the time of this start; None where there was nothing left to search.
    """

    trees: int = 0
    solved: int = 0
    steps: int = 0
    steps_ran: int = 0
    cost: Cost = field(default_factory=Cost)
    failures: Counter[str] = field(default_factory=Counter)
    quarantined: dict[str, str] = field(default_factory=dict)
    occupancy: float | None = None

    def facts(self) -> dict[str, Any]:
        """As plain data for the stage's record."""
        return {
            "trees": self.trees,
            "trees_solved": self.solved,
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
            "quarantined": self.quarantined,
        }


class SearchRunner:
    """Engines, executors and search workers of one run, kept between searches. Leaves nothing running behind."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.fleet = EngineManager(context.config.policy.engine, context.config.reward_model.engine)
        self._crowd = SearchWorkerPool(context.config.workers)
        self._executors: tuple[Any, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rest()

    def rest(self) -> None:
        """Stop all actors and give back what they hold."""
        self._crowd.stop()
        self.fleet.stop()
        stop_executors(self._executors)
        self._executors = ()

    def engines(self, policy: ModelRef, reward_model: ModelRef | None, second: ModelRef | None = None) -> Engines:
        """Handles of running engines for these models; those that run already are kept."""
        config = self.context.config
        self.fleet.start(*dict.fromkeys(ref for ref in (policy, second, reward_model) if ref is not None))
        if not self._executors:
            self._executors = tuple(start_executors(config.executor, {"num_cpus": config.executor.num_cpus}))
            self.context.run.note(sandbox=isolation(self._executors))
            if warning := self.context.run.manifest.isolation_warning:
                self.context.progress.say(warning)
        return Engines(
            policy=tuple(self.fleet.policy(policy)),
            policy_config=config.policy.engine,
            executors=self._executors,
            executor_config=config.executor,
            reward_model=tuple(self.fleet.reward_model(reward_model)) if reward_model else (),
            reward_model_config=config.reward_model.engine,
            policy_ref=policy,
            reward_model_ref=reward_model,
            second=tuple(self.fleet.policy(second)) if second else (),
            second_policy_ref=second,
        )

    def run(self, plan: SearchPlan, directory: Path) -> SearchReport:
        """Grow a tree for every problem that has none in ``directory`` yet; the report covers all of them."""
        directory.mkdir(parents=True, exist_ok=True)
        done = finished_ids(directory)
        waiting = tuple(problem for problem in plan.problems if problem.id not in done)
        quarantined: dict[str, str] = {}
        occupancy = None
        if waiting:
            config = self.context.config
            assignment = SearchSpec(
                search=in_units(plan.config, plan.reward_model),
                format=config.policy.step_format(self.context.shots),
                directory=directory,
                seed=derive(config.seed, *plan.seed),
                blind=plan.blind,
                models={ref.role: f"{ref.role} of round {ref.round}" for ref in plan.models},
                worker=config.workers,
            )
            engines = self.engines(plan.policy, plan.reward_model, plan.second)
            metrics = SearchMetrics(config.name, plan.what, len(waiting))
            vitals = Vitals(*engines.places)
            with self.context.progress.task(plan.what, len(plan.problems), done=len(done)) as task:
                watch = Watch(task, metrics, vitals, plan.blind)
                self._crowd.run(assignment, engines, waiting, watch.finished, watch.hear)
                watch.over()
            quarantined, occupancy = watch.quarantined, vitals.mean_occupancy
        found = report(directory, quarantined)
        found.occupancy = occupancy
        return found


def report(directory: Path, quarantined: dict[str, str]) -> SearchReport:
    """Counts over the trees in a directory."""
    found = SearchReport(quarantined=quarantined)
    for tree in read_trees(directory):
        found.trees += 1
        found.solved += tree.solved
        found.cost = found.cost + tree.cost
        found.failures.update(tree.failures)
        for node in tree.nodes[1:]:
            if node.step is not None and node.step.code:
                found.steps += node.multiplicity
                found.steps_ran += node.multiplicity * (node.step.status is StepStatus.OPEN)
    found.failures.update({"quarantined": len(quarantined)} if quarantined else {})
    return found
