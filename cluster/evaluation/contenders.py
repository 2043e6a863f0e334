"""Search problems by one contender of a comparison, and set it to the budgets before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from cluster.config.compare_config import ContenderConfig
from cluster.evaluation.accuracy import total_cost
from cluster.evaluation.calibration import Limits, meet_budget, reaches
from cluster.evaluation.cells import CALIBRATION, Setting, read_accuracies
from cluster.evaluation.costs import mean_latency
from cluster.evaluation.evaluate import run_search
from cluster.run.context import Context
from cluster.run.models import Models, fit_search, further_policies
from cluster.searches.runner import SearchPlan, SearchRunner
from search.config import SearchConfig
from search.data import Aggregation, Problem
from search.grading.grader import grader
from search.strategies.registry import entry_of
from search.tree import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A strategy of a comparison with all that its searches need."""

    name: str
    config: ContenderConfig
    context: Context
    runner: SearchRunner
    models: Models

    @property
    def base(self) -> SearchConfig:
        return self.context.config.evaluation.search

    def plan(
        self, value: int | None, problems: tuple[Problem, ...], seed: tuple[object, ...], label: str
    ) -> SearchPlan:
        """Return the blind search of some problems with a value of the option that scales."""
        search = self.config.search(self.base, value)
        return SearchPlan(
            config=search,
            policy=self.models.policy,
            reward_model=self.models.reward_model if entry_of(search).reads_scores else None,
            problems=problems,
            seed=seed,
            label=f"{self.name}, {label}",
            blind=True,
            further=further_policies(self.models, self.context.config, search),
        )

    def aggregation(self, plan: SearchPlan) -> Aggregation:
        """Return how the rewards of a solution's steps become one score in the trees of a search."""
        return fit_search(plan.config, plan.reward_model, self.context.config.reward_model).aggregation


def calibrate(contender: Contender, problems: tuple[Problem, ...]) -> tuple[Setting, ...]:
    """Run the stage that sets a contender to the budgets by its spend on ``problems``, and return the settings.

    The stage holds the trees of every value that was tried, and the accuracy of each reading at the values that were taken:
    whatever is chosen by it was chosen before the measured problems are searched.
    """
    stage = contender.context.run.stage(f"compare/{contender.name}/{CALIBRATION}")
    if not stage.is_done:
        with stage.writing(keep=True) as writer:
            settings, spends = _settings(contender, problems, writer.directory)
            writer.facts.update(
                settings=[asdict(setting) for setting in settings],
                spends={str(value): spend for value, spend in sorted(spends.items())},
                problems=len(problems),
            )
    return tuple(Setting(**facts) for facts in stage.facts()["settings"])


def _settings(
    contender: Contender, problems: tuple[Problem, ...], directory: Path
) -> tuple[list[Setting], dict[int, float]]:
    """Return the settings, and the spend of every value that was tried; without an option one setting and no spends."""
    config = contender.context.config.compare
    option = contender.config.option(contender.base)
    plans: dict[int | None, SearchPlan] = {}
    trees_of: dict[int | None, list[Tree]] = {}

    def spend_of(value: int | None) -> float:
        label = f"calibration: {option} {value}" if option else CALIBRATION
        plan = plans[value] = contender.plan(value, problems, ("compare", CALIBRATION), label)
        trees_of[value], _ = run_search(contender.runner, plan, directory / f"{option or 'as'}-{value or 'is'}")
        return total_cost(trees_of[value]).generated_tokens / len(problems)

    def setting(budget: int, value: int | None, spend: float, *, is_reached: bool) -> Setting:
        accuracies = read_accuracies(trees_of[value], problems, contender.aggregation(plans[value]), grader())
        validation = {name: fmean(values) for name, values in accuracies.items()}
        return Setting(
            budget=budget, option=option, value=value, spend=spend, is_reached=is_reached, validation=validation
        )

    if option is None:
        return [setting(config.budgets[0], None, spend_of(None), is_reached=True)], {}
    limits, spends = Limits(config.calibration.tolerance, config.calibration.searches), dict[int, float]()
    settings = []
    for budget in config.budgets:
        first = contender.config.first_value(contender.base, budget)
        value = meet_budget(budget, first, spend_of, spends, limits)
        is_reached = reaches(spends, budget, limits.tolerance)
        settings.append(setting(budget, value, spends[value], is_reached=is_reached))
    return settings, spends


def measure_latency(
    contender: Contender, plan: SearchPlan, problems: Sequence[Problem], directory: Path
) -> float | None:
    """Search the first problems of a plan one after the other and return the mean seconds of one; None without problems.

    The seeds are those of the plan, so the trees are too, unless rollouts run side by side.
    """
    trees: list[Tree] = []
    for count in range(1, len(problems) + 1):
        alone = replace(plan, problems=tuple(problems[:count]), label=f"{plan.label}, one at a time")
        trees, _ = run_search(contender.runner, alone, directory)  # all but the last are stored
    return mean_latency(trees)


def facts_of_plan(plan: SearchPlan, aggregation: Aggregation) -> dict[str, Any]:
    """Return what a stage keeps of a search so that its trees can be read again."""
    return {"search": plan.config.model_dump(mode="json"), "aggregation": aggregation.value}
