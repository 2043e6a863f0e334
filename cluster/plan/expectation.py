"""Estimate what a plan will take by a finished run: each stage takes the share of its upper bound that the run's stage used.

Bounds count every step at its greatest length, and all pairs of every expansion. What is used of them depends on how long
steps are, how soon trees end and how often a policy is correct, so a run on similar problems says it best.

A search bounded by 4 M tokens that wrote 0.2 M used 5 %. Then 5 % of the bound of the same round's search are expected.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from cluster.config import run_config
from cluster.config.run_config import RunConfig
from cluster.plan import rounds
from cluster.plan.parameters import ModelParameters
from cluster.plan.stages import PlannedStage, problem_counts
from cluster.run.directory import CONFIG, MANIFEST, RunDir, Stage
from search.errors import UserError
from search.problems.loading import load_problem_sets

SEARCH, EVALUATE = "search", "evaluate"  # stages
Shares = Mapping[str, float]  # by name of a stage ("r2/search"), and of its kind ("search") over all rounds


def used_shares(option: str, root: Path) -> Shares:
    """Return the shares of their bounds that the finished stages of a run used. Raises UserError if it has none."""
    if not (root / MANIFEST).is_file():
        raise UserError(f"{option}: {root} is no run directory: it has no {MANIFEST}")
    config = run_config.load(root / CONFIG)
    counts = problem_counts(config, load_problem_sets(config.problems, lazy=True))
    bounds = {stage.name: stage for stage in rounds.evolve(config, counts, ModelParameters(policy=1))}
    used, bound = defaultdict[str, int](int), defaultdict[str, int](int)
    for name, tokens in used_tokens(RunDir(root), config, bounds):
        for key in (name, name.partition("/")[2]):
            used[key] += tokens
            bound[key] += bounded_tokens(bounds[name])
    shares = {key: used[key] / bound[key] for key in used if bound[key]}
    if SEARCH not in shares:
        raise UserError(f"{option}: no search of {root} is finished: name a run of raystar evolve that is")
    return shares


def used_tokens(run: RunDir, config: RunConfig, bounds: Mapping[str, PlannedStage]) -> Iterator[tuple[str, int]]:
    """Yield the stages that are done and the tokens that they wrote, or learnt from."""
    for name in bounds:
        number, _, kind = name.partition("/")
        passes = config.rounds[int(number.removeprefix("r")) - 1].passes if kind == SEARCH else 1
        stages = [Stage(path) for path in (run.root / "rounds" / number).glob(f"{kind}*") if is_pass(path.name, kind)]
        tokens = [tokens for stage in stages if (tokens := _tokens(stage)) is not None]
        if len(tokens) == passes:
            yield name, sum(tokens)


def is_pass(name: str, kind: str) -> bool:
    """Return whether a directory is a stage of a kind: "search", and "search-2" for a second pass, not "search.partial"."""
    return re.fullmatch(rf"{kind}(-\d+)?", name) is not None


def _tokens(stage: Stage) -> int | None:
    """Return the tokens that a stage learnt from, or else wrote; None if it is not done or counts none."""
    facts = stage.facts()
    tokens = facts.get("tokens_trained", facts.get("tokens"))
    return None if tokens is None else int(tokens)


def bounded_tokens(stage: PlannedStage) -> int:
    """Return the bound of the tokens that a stage learns from, or else writes."""
    return stage.cost.trained or stage.cost.generated


def expected(stages: tuple[PlannedStage, ...], shares: Shares) -> tuple[PlannedStage, ...]:
    """Return the stages with what they are expected to take.

    A stage takes the share of the same stage of the other run, else that of its kind over all rounds, else, such as a
    promotion, that of evaluations, and without one that of searches.
    """

    def share(name: str) -> float:
        for key in (name, name.partition("/")[2], EVALUATE, SEARCH):
            if key in shares:
                return shares[key]
        raise AssertionError("a run without a search has no shares")

    return tuple(replace(stage, cost=stage.cost.times(share(stage.name))) for stage in stages)
