"""List the stages of ``raystar evolve``, round by round, with upper bounds of what they take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain

from cluster.config.method_config import MethodConfig
from cluster.config.run_config import RoundConfig, RunConfig
from cluster.evolution.self_judging import JUDGEMENTS
from cluster.plan.cost import StageCost
from cluster.plan.parameters import ModelParameters
from cluster.plan.searches import problem_bound, promotion_cost, search_cost
from cluster.plan.stages import PlannedStage, ProblemCounts, evaluate
from cluster.plan.training import harvested_records, labelled_solutions, train_cost
from search.config import SearchConfig
from search.formats.model_prompt import AUTO
from search.strategies.registry import describe, revise
from train.rules.base import RuleInput


def evolve(config: RunConfig, counts: ProblemCounts, models: ModelParameters) -> tuple[PlannedStage, ...]:
    """Return all stages of ``raystar evolve``."""
    has_reward_model = config.reward_model.is_named
    stages = [PlannedStage("r0/base", _base(config))]
    stages += evaluate(config, counts, models, reward_model=has_reward_model)
    for number in range(1, len(config.rounds) + 1):
        planned = PlannedRound(config=config, counts=counts, models=models, number=number)
        stages += planned.stages()
        if planned.method.reward_model is not None:
            has_reward_model, models = True, models.with_trained_reward_model()
        stages += evaluate(config, counts, models, reward_model=has_reward_model, number=number)
    return tuple(stages)


def _base(config: RunConfig) -> str:
    if config.policy.path:
        return f"base policy: {config.policy.path}"
    solutions = config.policy.recipe.solutions
    depths = ", ".join(f"{count} of {depth}" for depth, count in enumerate(solutions, 1) if count)
    return f"base policy: built-in, from worked solutions ({depths} steps; cached)"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRound:
    """One round before it runs. ``number`` counts from 1; ``models`` are those that it begins with."""

    config: RunConfig
    counts: ProblemCounts
    models: ModelParameters
    number: int

    @property
    def entry(self) -> RoundConfig:
        return self.config.rounds[self.number - 1]

    @property
    def method(self) -> MethodConfig:
        return self.config.method_of(self.entry)

    @property
    def problems(self) -> int:
        return self.counts.rounds[self.number - 1]

    def stages(self) -> list[PlannedStage]:
        """Return the stages of the round but its evaluation."""
        method, stages = self.method, [self._search()]
        if RuleInput.HINTED_TREES in method.harvest_rule.needs:
            stages.append(self._hinted())
        if RuleInput.MARKS in method.harvest_rule.needs:
            stages.append(self._self_judging())
        files = ", ".join(file for files in method.harvest_rule.files.values() for file in files)
        stages.append(PlannedStage(f"r{self.number}/harvest", f"by rule {method.rule}: {files}"))
        if method.policy is not None:
            start = "the base" if method.policy.begins == "base" else "the policy before"
            stages.append(self._training("policy", method.policy.objective, f" from {start}"))
        if method.reward_model is not None:
            stages.append(self._training("reward_model", method.reward_model.objective, ""))
        return [*stages, self._promotion()]

    def searches(self) -> list[SearchConfig]:
        """Return the searches of the round's passes."""
        return self.config.round_searches(self.entry)

    def _search(self) -> PlannedStage:
        searches, scored = self.searches(), self.entry.values == "reward_model"
        settings = ", then ".join(map(describe, searches))
        unsolved = "unsolved training " if self.entry.only_unsolved else ""
        description = (
            f"{self.problems} {unsolved}problems, {searches[0].strategy}: {settings}, {self.entry.values} values"
        )
        costs = [search_cost(search, self.problems, self.models, scored=scored) for search in searches]
        return PlannedStage(f"r{self.number}/search", description, sum(costs, StageCost()))

    def _hinted(self) -> PlannedStage:
        cost = search_cost(self.searches()[0], self.problems, self.models, scored=self.entry.values == "reward_model")
        return PlannedStage(f"r{self.number}/search_hinted", "problems that failed, with the answer given away", cost)

    def _self_judging(self) -> PlannedStage:
        searches = self.searches()
        solutions = self.problems * sum(problem_bound(search).requests for search in searches)
        judging = revise(searches[0], {"strategy": "sampling", "candidates": JUDGEMENTS, "trees": 1})
        cost = search_cost(judging, solutions, self.models, scored=False)
        description = f"the policy marks up to {solutions} solutions, {JUDGEMENTS} times each"
        return PlannedStage(f"r{self.number}/self_judgements", description, cost)

    def _training(self, role: str, objective: str, start: str) -> PlannedStage:
        settings = getattr(self.config.round_training(self.entry), role)
        context = self.config.policy.engine.max_model_len
        cost = train_cost(
            objective,
            self._records(objective),
            settings,
            self.models.policy,
            None if context == AUTO else context,
        )
        name = role.replace("_", " ")
        description = f"{name} by {objective}{start}, {settings.epochs} epoch(s)"
        return PlannedStage(f"r{self.number}/train_{role}", description, cost)

    def _records(self, objective: str) -> int:
        """Return how many records the round learns from at most: of its trees, or of all so far where the rule reads them."""
        method = self.method
        if method.labels is not None:
            return labelled_solutions(method)
        searches = self.searches()
        if RuleInput.HINTED_TREES in method.harvest_rule.needs:
            searches = [*searches, searches[0]]
        if method.harvest_rule.reads_history:
            earlier = (replace(self, number=number) for number in range(1, self.number))
            searches = [*chain.from_iterable(planned.searches() for planned in earlier), *searches]
        problems = self.counts.until(self.number) if method.harvest_rule.reads_history else self.problems
        return harvested_records(method, objective, problems, searches)

    def _promotion(self) -> PlannedStage:
        method = self.method
        cost = promotion_cost(
            self.config.evaluation,
            self.counts.validation,
            self.models.with_trained_reward_model(),
            policy=method.policy is not None,
            reward_model=method.reward_model is not None,
        )
        description = f"promotion on {self.counts.validation} validation problems"
        return PlannedStage(f"r{self.number}/promote", description, cost)
