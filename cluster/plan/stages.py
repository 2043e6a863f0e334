"""List the stages of each command with upper bounds of what they take, before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from cluster.config.run_config import RunConfig
from cluster.plan.cost import StageCost
from cluster.plan.parameters import ModelParameters
from cluster.plan.searches import evaluation_cost, samples_cost, search_cost
from cluster.plan.training import train_cost
from search.problems.loading import EVALUATION, ProblemSets
from search.strategies.registry import describe, entry_of


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """A stage, and what it takes at most."""

    name: str
    description: str
    cost: StageCost = field(default_factory=StageCost)


@dataclass(frozen=True, slots=True)
class ProblemCounts:
    """Numbers of problems: training ones that each round searches at most, validation, and in each evaluation split.

    ``history``: different training problems that the rounds up to each search; empty: all rounds search the same ones.
    """

    rounds: tuple[int, ...]
    validation: int
    splits: dict[str, int]
    history: tuple[int, ...] = ()

    def until(self, number: int) -> int:
        """Return how many different training problems the rounds up to ``number``, from 1, search at most."""
        return self.history[number - 1] if self.history else max(self.rounds[:number])


def problem_counts(config: RunConfig, sets: ProblemSets) -> ProblemCounts:
    """Return how many problems each set holds; of one that a dry run has not at hand, as many as the config declares."""
    declared = sets.planned.get("train")
    rounds = tuple(
        declared.problems if declared is not None else sum(map(entry.covers, sets.train)) for entry in config.rounds
    )
    splits = {name: sets.size(f"{EVALUATION}.{name}") for name in sets.evaluation}
    first = [
        next((n for n, entry in enumerate(config.rounds) if entry.covers(problem)), None) for problem in sets.train
    ]
    history = () if declared is not None else tuple(accumulate(map(first.count, range(len(rounds)))))
    return ProblemCounts(rounds, sets.size("validation"), splits, history)


def search(
    config: RunConfig, problems: int, models: ModelParameters, *, reward_model: bool
) -> tuple[PlannedStage, ...]:
    """Return the one stage of ``raystar search``."""
    values = "reward_model" if reward_model else "terminal"
    description = f"{problems} problems, {config.search.strategy}: {describe(config.search)}, {values} values"
    cost = search_cost(config.search, problems, models, scored=reward_model)
    return (PlannedStage("search", description, cost),)


def evaluate(
    config: RunConfig, counts: ProblemCounts, models: ModelParameters, *, reward_model: bool, number: int = 0
) -> tuple[PlannedStage, ...]:
    """Return the stage that measures models after a round; round 0 is the base, and all of ``raystar evaluate``."""
    settings, measured = config.evaluation, config.evaluation.search
    share, total = config.measured_share(number), sum(counts.splits.values())
    part = sum(round(size * share) for size in counts.splits.values())
    methods = f"greedy, majority of {settings.samples}"
    if reward_model:
        methods += f", best of {settings.samples}"
    entry = entry_of(measured)
    if reward_model or entry.chooses_without_scores:
        methods += f", {measured.strategy}: {describe(measured)}"
    else:
        methods += f" (without a reward model no {measured.strategy})"
    description = f"{total} problems in {len(counts.splits)} splits: {methods}"
    cost = evaluation_cost(settings, total, part, models, scored=reward_model)
    return (PlannedStage(f"r{number}/evaluate", description, cost),)


def train(
    config: RunConfig, role: str, data: Sequence[Path], parameters: int | None, records: int
) -> tuple[PlannedStage, ...]:
    """Return the one stage of ``raystar train``: on so many records, from a model of so many parameters."""
    settings = config.train.policy if role == "policy" else config.train.reward_model
    objective, files = config.method.objective(role == "policy"), ", ".join(str(file) for file in data)
    description = f"{objective}, {settings.epochs} epoch(s) on {records} records of {files}"
    return (PlannedStage(f"train_{role}", description, train_cost(objective, records, settings, parameters)),)


def compare(config: RunConfig, problems: int, models: ModelParameters) -> tuple[PlannedStage, ...]:
    """Return a stage that sets each strategy to the budgets, and one for each strategy, budget and seed."""
    settings = config.compare
    calibrations = (_calibration(config, name, models) for name in settings.strategies)
    return *calibrations, *(
        _contender(config, name, budget, repeat, problems, models)
        for repeat in range(settings.repeats)
        for index, budget in enumerate(settings.budgets)
        for name, contender in settings.strategies.items()
        if index == 0 or contender.option(config.evaluation.search) is not None
    )


def _calibration(config: RunConfig, name: str, models: ModelParameters) -> PlannedStage:
    """Return the stage that measures what a strategy spends, on other problems than those that are compared."""
    settings, contender, base = config.compare, config.compare.strategies[name], config.evaluation.search
    option, largest = contender.option(base), settings.budgets[-1]
    search = contender.search(base, largest)
    searches = 1 if option is None else settings.calibration.searches
    cost = search_cost(
        search,
        settings.calibration.problems,
        models,
        scored=entry_of(search).reads_scores,
        budget=largest if option else None,
    )
    description = f"up to {searches} values of {option}" if option else "spend as it is"
    return PlannedStage(f"compare/{name}/calibration", description, cost.times(searches))


def _contender(
    config: RunConfig, name: str, budget: int, repeat: int, problems: int, models: ModelParameters
) -> PlannedStage:
    """Return the stage of one strategy at one budget.

    Its option is set so that the mean spend is the budget, which bounds requests too: each generates a token or more. A
    strategy without such an option is searched once.
    """
    scaled = config.compare.strategies[name]
    contender = scaled.search(config.evaluation.search, budget)
    entry, option = entry_of(contender), scaled.option(config.evaluation.search)
    settings = f"{option} for {budget} tokens" if option else describe(contender)
    return PlannedStage(
        f"compare/{name}/{budget}-{repeat}",
        f"{problems} problems, {contender.strategy}: {settings}",
        search_cost(contender, problems, models, scored=entry.reads_scores, budget=budget if option else None),
    )


def score_samples(
    config: RunConfig, command: str, problems: int, trees: Path | None, models: ModelParameters
) -> tuple[PlannedStage, ...]:
    """Return the stages that scoring steps begins with: samples, unless they are stored, and their scores."""
    description = f"every step of the solutions in {trees or 'the samples'}"
    if trees is not None:
        return (PlannedStage(f"{command}/scores", description),)
    written, scored = samples_cost(config.evaluation, problems, models)
    samples = f"{problems} problems, {config.evaluation.samples} samples each"
    return (
        PlannedStage(f"{command}/samples", samples, written),
        PlannedStage(f"{command}/scores", description, scored),
    )


def score_file(rows: int, file: Path) -> tuple[PlannedStage, ...]:
    """Return the one stage of scoring a file of steps."""
    return (PlannedStage("reward_eval/steps", f"every step of {rows} solutions in {file}"),)
