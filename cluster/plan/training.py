"""Count at most what trainings take: the records that a rule can make, each as long as a training allows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cluster.config.method_config import MethodConfig
from cluster.plan.cost import StageCost, scoring_cost, training_cost
from search.config import SearchConfig
from search.strategies.registry import entry_of
from search.strategies.sampling.solutions import longest_solution
from train.config import TrainConfig
from train.objectives import OBJECTIVES
from train.rules.base import TreeSize


def tree_size(search: SearchConfig) -> TreeSize:
    """Return how large one tree becomes at most.

    Every request is at most one expansion. Strategies that draw whole solutions draw as many as their option says, those for
    step labels as many as their tokens hold, others finish at most every step that they draw.
    """
    entry = entry_of(search)
    requests = entry.bound(search).requests
    if entry.has_independent_samples:
        return TreeSize(expansions=requests, solutions=getattr(search, entry.budget_option))
    if entry.labelled is not None:
        solutions = entry.bound(search).tokens // longest_solution(search)
        return TreeSize(expansions=requests, solutions=solutions, labelled=entry.labelled(search))
    return TreeSize(expansions=requests, solutions=requests * getattr(search, "candidates", 1))


def harvested_records(method: MethodConfig, objective: str, problems: int, searches: Sequence[SearchConfig]) -> int:
    """Return how many records for an objective a rule makes at most. ``searches``: of all trees of a problem that it reads."""
    trees = [tree_size(search) for search in searches for _ in range(search.trees)]
    bound = method.harvest_rule.bound(method.options, trees)
    return problems * bound[OBJECTIVES[objective].records]


def labelled_solutions(method: MethodConfig) -> int:
    """Return how many solutions ``method.labels`` holds: its lines where the file is at hand, else what is declared."""
    file = Path(str(method.labels)).expanduser()
    return count_records([file]) if file.is_file() else method.labelled_solutions or 0


def count_records(files: Iterable[Path]) -> int:
    """Return the number of lines of JSON-lines files that are not empty."""
    count = 0
    for file in files:
        with file.open("rb") as lines:
            count += sum(1 for line in lines if line.strip())
    return count


def train_cost(
    objective: str, records: int, settings: TrainConfig, parameters: int | None, context: int | None = None
) -> StageCost:
    """Return what a training on so many records takes at most: two sequences a pair, each of ``max_length`` tokens.

    ``context``: of the policy that wrote them, which no sequence exceeds. DPO's reference model reads every sequence once.
    """
    samples = OBJECTIVES[objective].samples
    longest = settings.max_length if context is None else min(settings.max_length, context)
    tokens = records * samples.width * longest
    cost = training_cost(tokens, settings.epochs, parameters)
    return cost + scoring_cost(tokens, parameters) if samples.needs_reference else cost
