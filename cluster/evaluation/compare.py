"""``raystar compare``: several strategies on the same problems, models and seeds, each at several budgets of tokens.

    strategy x budget x seed ──> one blind search, a stage ──> a right share a problem, tokens, seconds
                                                                       │
    comparison.json, comparison.html <── accuracy, interval, cost <────┘

A tree stops at its budget; what it really generated is what stands in the result.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from cluster.config.compare_config import WITHOUT_REWARD_MODEL
from cluster.evaluation import accuracy
from cluster.evaluation.evaluate import grow
from cluster.run.context import Context
from cluster.run.models import Models, second
from cluster.searches.runner import SearchPlan, SearchRunner
from search.data import Problem
from search.evaluation.confidence import Interval, mean_of_shares, paired_difference
from search.grading.grader import grader
from search.storage.files import write_atomic
from search.tree import Tree

COMPARISON = "comparison.json"
MAJORITY = "samples"  # the strategy whose trees are decided by majority


@dataclass(frozen=True, slots=True)
class Entry:
    """One strategy at one budget. ``tokens`` and ``seconds`` a problem, means over ``seeds`` (accuracy of each).

    ``difference``: accuracy less that of the strategy compared with, at the same budget, with its 95 % interval.
    """

    strategy: str
    budget: int
    accuracy: Interval
    difference: Interval
    tokens: float
    seconds: float
    seeds: tuple[float, ...]


def compare(context: Context, models: Models, problems: tuple[Problem, ...]) -> list[Entry]:
    """All searches that are not done yet, then the entries; writes ``comparison.json``."""
    config, cells = context.config.compare, {}
    with SearchRunner(context) as searchers:
        for repeat in range(config.repeats):
            for budget in config.budgets:
                for name in config.strategies:
                    cells[name, budget, repeat] = _cell(context, searchers, models, problems, name, budget, repeat)
    found = [_entry(config.against, name, budget, cells) for budget in config.budgets for name in config.strategies]
    write_atomic(context.run.root / COMPARISON, json.dumps([asdict(entry) for entry in found], indent=1) + "\n")
    return found


Cells = dict[tuple[str, int, int], dict[str, Any]]


def _cell(
    context: Context,
    searchers: SearchRunner,
    models: Models,
    problems: tuple[Problem, ...],
    name: str,
    budget: int,
    repeat: int,
) -> dict[str, Any]:
    """One search as a stage; its facts: ``right`` share a problem, ``tokens`` and ``seconds`` of all."""
    config = context.config
    stage = context.run.stage(f"compare/{name}/{budget}-{repeat}")
    if not stage.done:
        search = config.compare.strategies[name].search(config.evaluation.search, budget, config.compare.budgets[0])
        reward_model = None if search.strategy in WITHOUT_REWARD_MODEL else models.reward_model
        what = f"{name}, {budget} tokens, seed {repeat}"
        other = second(models, config.second, search.strategy)
        plan = SearchPlan(search, models.policy, reward_model, problems, ("compare", repeat), what, True, other)
        with stage.writing(keep=True) as writer:
            trees, seconds = grow(searchers, plan, writer.directory)
            writer.facts.update(
                right=_right(trees, problems, search.strategy),
                tokens=accuracy.total(trees).generated_tokens,
                searching=seconds,
            )
    return stage.facts()


def _right(trees: Sequence[Tree], problems: Sequence[Problem], strategy: str) -> list[float]:
    """For each problem in order, whether the answer is right; equally frequent answers share a majority."""
    how = accuracy.majority if strategy == MAJORITY else accuracy.single
    return list(how(trees, {problem.id: problem for problem in problems}, grader()).values())


def _entry(against: str, name: str, budget: int, cells: Cells) -> Entry:
    own = [facts for (strategy, limit, _), facts in cells.items() if (strategy, limit) == (name, budget)]
    theirs = [facts for (strategy, limit, _), facts in cells.items() if (strategy, limit) == (against, budget)]
    right, other = _by_problem(own), _by_problem(theirs)
    return Entry(
        name,
        budget,
        mean_of_shares(right),
        paired_difference(right, other),
        fmean(facts["tokens"] for facts in own) / len(right),
        fmean(facts["searching"] for facts in own) / len(right),
        tuple(fmean(facts["right"]) for facts in own),
    )


def _by_problem(cells: Sequence[dict[str, Any]]) -> list[float]:
    """For each problem the share of seeds that had it right: seeds on one problem are no independent problems."""
    return [fmean(shares) for shares in zip(*(facts["right"] for facts in cells), strict=True)]
