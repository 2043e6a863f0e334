"""Compare strategies (``raystar compare``) on the same problems, models and seeds, each at several token budgets.

    strategy            ──> its option for each budget, by its spend on other problems    stage compare/NAME/calibration
    x budget x seed     ──> one blind search, a stage                                     stage compare/NAME/BUDGET-SEED
    its trees           ──> accuracy by every rule for an answer, coverage, costs         search/evaluation/readings.py
    all of them         ──> curves over the tokens really spent, differences at equal tokens, by the same rule

No tree is cut off at the budget: the mean spend over problems meets it. The result states the tokens really generated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from cluster.evaluation.cells import Cell, Setting, read_accuracies
from cluster.evaluation.contenders import Contender, calibrate, facts_of_plan, measure_latency
from cluster.evaluation.costs import count_parameters, problem_cost
from cluster.evaluation.evaluate import run_search
from cluster.evaluation.stored_comparison import (
    CELL,
    Comparison,
    ComparisonHeader,
    write_comparison,
    write_problems,
)
from cluster.run.context import Context
from cluster.run.models import Models
from cluster.searches.runner import SearchRunner
from search.data import Problem
from search.errors import UserError
from search.grading.grader import grader
from search.serialization import load_value

LATENCY = "latency"  # directory of the trees that grew one at a time


def compare(context: Context, models: Models, problems: tuple[Problem, ...], split: str) -> Comparison:
    """Run all searches that are not done yet, write ``comparison.json`` and return the comparison."""
    config = context.config.compare
    calibrated_on, others = calibration_problems(context, split)
    header = ComparisonHeader(
        split=split,
        calibrated_on=calibrated_on,
        problems=len(problems),
        budgets=config.budgets,
        strategies=tuple(config.strategies),
        against=config.against,
        policy=models.policy.path,
        reward_model=models.reward_model.path if models.reward_model else None,
    )
    write_problems(context.run, problems, header)
    with SearchRunner(context) as runner:
        contenders = {
            name: Contender(name=name, config=contender, context=context, runner=runner, models=models)
            for name, contender in config.strategies.items()
        }
        settings = {name: calibrate(contender, others) for name, contender in contenders.items()}
        cells = [
            _cell(contenders[name], setting, budgets, problems, repeat)
            for repeat in range(config.repeats)
            for name, setting, budgets in _in_order(settings)
        ]
    comparison = Comparison(header=header, cells=tuple(cells))
    write_comparison(context.run.root, comparison)
    return comparison


def calibration_problems(context: Context, split: str) -> tuple[str, tuple[Problem, ...]]:
    """Return the set that strategies are set to their budgets on, and its problems: validation, or train if that is measured.

    Raises UserError if there are none.
    """
    name = "train" if split == "validation" else "validation"
    problems = tuple(getattr(context.problems, name)[: context.config.compare.calibration.problems])
    if not problems:
        raise UserError(f"problems.{name} is empty: budgets are met on its problems when {split} is measured")
    return name, problems


def _in_order(settings: Mapping[str, tuple[Setting, ...]]) -> list[tuple[str, Setting, tuple[int, ...]]]:
    """Return the contenders with their distinct settings and the budgets of each, the least budgets first."""
    searches = []
    for name, of_contender in settings.items():
        for value in dict.fromkeys(setting.value for setting in of_contender):
            alike = [setting for setting in of_contender if setting.value == value]
            searches.append((name, alike[0], tuple(setting.budget for setting in alike)))
    return sorted(searches, key=lambda search: search[2][0])


def _cell(
    contender: Contender, setting: Setting, budgets: tuple[int, ...], problems: tuple[Problem, ...], repeat: int
) -> Cell:
    """Run one search as a stage and return its cell. The first seed also measures the latency."""
    context, models = contender.context, contender.models
    stage = context.run.stage(f"compare/{contender.name}/{setting.budget}-{repeat}")
    if not stage.is_done:
        plan = contender.plan(
            setting.value, problems, ("compare", setting.budget, repeat), f"{setting.budget} tokens, seed {repeat}"
        )
        aggregation = contender.aggregation(plan)
        parameters = {
            "policy": count_parameters(models.policy.path),
            "reward_model": count_parameters(models.reward_model.path) if models.reward_model else None,
        }
        with stage.writing(keep=True) as writer:
            alone = problems[: context.config.compare.latency_problems] if repeat == 0 else ()
            latency = measure_latency(
                contender, plan, alone, writer.directory / LATENCY
            )  # before caches hold the trees
            trees, seconds = run_search(contender.runner, plan, writer.directory)
            cell = Cell(
                strategy=contender.name,
                budgets=budgets,
                repeat=repeat,
                setting=setting,
                cost=problem_cost(trees, len(problems), seconds, parameters, latency),
                accuracies=read_accuracies(trees, problems, aggregation, grader()),
            )
            writer.facts.update({CELL: asdict(cell), **facts_of_plan(plan, aggregation)})
    return load_value(Cell, stage.facts()[CELL])
