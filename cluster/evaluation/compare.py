"""Compare strategies (``raystar compare``) on the same problems, models and seeds, each at several token budgets.

    strategy x budget x seed ──> one blind search, a stage ──> accuracy of each problem, tokens, seconds
                                                                       │
    comparison.json, comparison.html <── accuracy, interval, cost <────┘

A tree stops at its budget. The result states the tokens that it really generated.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from cluster.evaluation import accuracy
from cluster.evaluation.evaluate import run_search
from cluster.run.context import Context
from cluster.run.models import Models, second_policy
from cluster.searches.runner import SearchPlan, SearchRunner
from search.config import SearchConfig
from search.data import Problem
from search.evaluation.confidence import Interval, mean_of_shares, paired_difference
from search.grading.grader import grader
from search.storage.files import write_text
from search.strategies.registry import entry_of
from search.tree import Tree

COMPARISON = "comparison.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyResult:
    """One strategy at one budget of generated tokens a problem.

    ``difference``: accuracy minus that of the baseline strategy at the same budget, with its 95 % interval.
    ``tokens`` and ``seconds`` are means over seeds and problems. ``accuracy_by_seed``: the accuracy with each seed.
    """

    strategy: str
    budget: int
    accuracy: Interval
    difference: Interval
    tokens: float
    seconds: float
    accuracy_by_seed: tuple[float, ...]


SearchFacts = dict[tuple[str, int, int], dict[str, Any]]  # (strategy, budget, seed index) -> facts of the search


def compare(context: Context, models: Models, problems: tuple[Problem, ...]) -> list[StrategyResult]:
    """Run all searches that are not done yet, write ``comparison.json`` and return the results."""
    config, facts = context.config.compare, SearchFacts()
    with SearchRunner(context) as runner:
        for repeat in range(config.repeats):
            for budget in config.budgets:
                for name in config.strategies:
                    facts[name, budget, repeat] = _search(context, runner, models, problems, name, budget, repeat)
    results = [
        _strategy_result(config.against, name, budget, facts) for budget in config.budgets for name in config.strategies
    ]
    write_text(context.run.root / COMPARISON, json.dumps([asdict(result) for result in results], indent=1) + "\n")
    return results


def _search(
    context: Context,
    runner: SearchRunner,
    models: Models,
    problems: tuple[Problem, ...],
    name: str,
    budget: int,
    repeat: int,
) -> dict[str, Any]:
    """Run one search as a stage. Its facts: ``accuracies`` of the problems, ``tokens`` and ``search_seconds`` of all."""
    config = context.config
    stage = context.run.stage(f"compare/{name}/{budget}-{repeat}")
    if not stage.is_done:
        search = config.compare.strategies[name].search(config.evaluation.search, budget, config.compare.budgets[0])
        plan = SearchPlan(
            config=search,
            policy=models.policy,
            reward_model=models.reward_model if entry_of(search).reads_scores else None,
            problems=problems,
            seed=("compare", repeat),
            label=f"{name}, {budget} tokens, seed {repeat}",
            blind=True,
            second_policy=second_policy(models, config.second_policy, search),
        )
        with stage.writing(keep=True) as writer:
            trees, seconds = run_search(runner, plan, writer.directory)
            writer.facts.update(
                accuracies=_accuracies(trees, problems, search),
                tokens=accuracy.total_cost(trees).generated_tokens,
                search_seconds=seconds,
            )
    return stage.facts()


def _accuracies(trees: Sequence[Tree], problems: Sequence[Problem], search: SearchConfig) -> list[float]:
    """Return the accuracy of each problem in order. Equally frequent answers share a majority."""
    accuracies = accuracy.answer_accuracies if entry_of(search).chooses_answer else accuracy.majority_accuracies
    return list(accuracies(trees, {problem.id: problem for problem in problems}, grader()).values())


def _strategy_result(against: str, name: str, budget: int, facts: SearchFacts) -> StrategyResult:
    by_seed = _facts_by_seed(facts, name, budget)
    accuracies = _mean_over_seeds(by_seed)
    baseline_accuracies = _mean_over_seeds(_facts_by_seed(facts, against, budget))
    return StrategyResult(
        strategy=name,
        budget=budget,
        accuracy=mean_of_shares(accuracies),
        difference=paired_difference(accuracies, baseline_accuracies),
        tokens=fmean(search["tokens"] for search in by_seed) / len(accuracies),
        seconds=fmean(search["search_seconds"] for search in by_seed) / len(accuracies),
        accuracy_by_seed=tuple(fmean(search["accuracies"]) for search in by_seed),
    )


def _facts_by_seed(facts: SearchFacts, name: str, budget: int) -> list[dict[str, Any]]:
    return [search for (strategy, limit, _), search in facts.items() if (strategy, limit) == (name, budget)]


def _mean_over_seeds(searches: Sequence[dict[str, Any]]) -> list[float]:
    """Return each problem's mean accuracy over seeds, since seeds on one problem are no independent problems."""
    return [fmean(by_seed) for by_seed in zip(*(search["accuracies"] for search in searches), strict=True)]
