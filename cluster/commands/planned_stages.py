"""List the stages of each command with upper bounds of their requests and tokens, before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.config.method_config import MethodConfig
from cluster.config.run_config import RoundConfig, RunConfig
from cluster.evolution.self_judging import JUDGEMENTS
from search.problems.loading import ProblemSets
from search.strategies.registry import entry_of, revise
from train.rules.base import RuleInput


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """A stage. ``requests`` to policies and generated ``tokens`` are upper bounds; 0 where there are none."""

    name: str
    description: str
    requests: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class ProblemCounts:
    """Numbers of problems: training ones that each round searches at most, validation, and in each evaluation split."""

    rounds: tuple[int, ...]
    validation: int
    splits: dict[str, int]


def problem_counts(config: RunConfig, sets: ProblemSets) -> ProblemCounts:
    """Return how many problems each set holds."""
    rounds = tuple(sum(map(entry.covers, sets.train)) for entry in config.rounds)
    splits = {name: len(problems) for name, problems in sets.evaluation.items()}
    return ProblemCounts(rounds, len(sets.validation), splits)


def evolve(config: RunConfig, counts: ProblemCounts) -> tuple[PlannedStage, ...]:
    """Return all stages of ``raystar evolve``."""
    has_reward_model = config.reward_model.path is not None
    stages = [PlannedStage("r0/base", _base(config)), _evaluation(config, counts, 0, has_reward_model)]
    for number, entry in enumerate(config.rounds, start=1):
        stages += _round(config, entry, counts, number)
        has_reward_model = has_reward_model or config.method_of(entry).reward_model is not None
        stages.append(_evaluation(config, counts, number, has_reward_model))
    return tuple(stages)


def search(config: RunConfig, problems: int) -> tuple[PlannedStage, ...]:
    """Return the one stage of ``raystar search``."""
    return (_search(config, RoundConfig(), problems, "search"),)


def evaluate(config: RunConfig, counts: ProblemCounts, *, reward_model: bool) -> tuple[PlannedStage, ...]:
    """Return the one stage of ``raystar evaluate``."""
    return (_evaluation(config, counts, 0, reward_model),)


def train(config: RunConfig, role: str, data: Sequence[Path]) -> tuple[PlannedStage, ...]:
    """Return the one stage of ``raystar train``."""
    settings = config.train.policy if role == "policy" else config.train.reward_model
    objective, files = config.method.objective(role == "policy"), ", ".join(str(file) for file in data)
    return (PlannedStage(f"train_{role}", f"{objective}, {settings.epochs} epoch(s) on {files}"),)


def compare(config: RunConfig, problems: int) -> tuple[PlannedStage, ...]:
    """Return a stage for each strategy, budget and seed."""
    settings = config.compare
    return tuple(
        _contender(config, name, budget, repeat, problems)
        for repeat in range(settings.repeats)
        for budget in settings.budgets
        for name in settings.strategies
    )


def score_samples(config: RunConfig, command: str, problems: int, trees: Path | None) -> tuple[PlannedStage, ...]:
    """Return the stages that scoring steps begins with: samples, unless they are stored, and their scores."""
    scores = PlannedStage(f"{command}/scores", f"every step of the solutions in {trees or 'the samples'}")
    if trees is not None:
        return (scores,)
    requests = problems * config.evaluation.samples
    description = f"{problems} problems, {config.evaluation.samples} samples each"
    return PlannedStage(f"{command}/samples", description, requests, _tokens(config, requests)), scores


def score_file(rows: int, file: Path) -> tuple[PlannedStage, ...]:
    """Return the one stage of scoring a file of steps."""
    return (PlannedStage("reward_eval/steps", f"every step of {rows} solutions in {file}"),)


def _base(config: RunConfig) -> str:
    if config.policy.path:
        return f"base policy: {config.policy.path}"
    solutions = config.policy.recipe.solutions
    depths = ", ".join(f"{count} of {depth}" for depth, count in enumerate(solutions, 1) if count)
    return f"base policy: built-in, from worked solutions ({depths} steps; cached)"


def _round(config: RunConfig, entry: RoundConfig, counts: ProblemCounts, number: int) -> list[PlannedStage]:
    problems, method = counts.rounds[number - 1], config.method_of(entry)
    stages = [_search(config, entry, problems, f"r{number}/search")]
    if RuleInput.HINTED_TREES in method.harvest_rule.needs:
        hinted = _search(config, entry.model_copy(update={"passes": 1}), problems, "")
        description = "problems that failed, with the answer given away"
        stages.append(PlannedStage(f"r{number}/search_hinted", description, hinted.requests, hinted.tokens))
    if RuleInput.MARKS in method.harvest_rule.needs:
        stages.append(_self_judging(config, entry, problems, number))
    stages.append(PlannedStage(f"r{number}/harvest", _harvest(method)))
    if method.policy is not None:
        start = "the base" if method.policy.begins == "base" else "the policy before"
        description = f"policy by {method.policy.objective} from {start}, {config.train.policy.epochs} epoch(s)"
        stages.append(PlannedStage(f"r{number}/train_policy", description))
    if method.reward_model is not None:
        description = f"reward model by {method.reward_model.objective}, {config.train.reward_model.epochs} epoch(s)"
        stages.append(PlannedStage(f"r{number}/train_reward_model", description))
    samples = counts.validation * (1 + config.evaluation.samples)
    description = f"promotion on {counts.validation} validation problems"
    stages.append(PlannedStage(f"r{number}/promote", description, samples, _tokens(config, samples)))
    return stages


def _self_judging(config: RunConfig, entry: RoundConfig, problems: int, number: int) -> PlannedStage:
    search = config.round_search(entry)
    solutions = problems * entry_of(search).bound(search).requests
    judging = revise(search, {"strategy": "sampling", "candidates": JUDGEMENTS})
    tokens = solutions * entry_of(judging).bound(judging).tokens
    description = f"the policy marks up to {solutions} solutions, {JUDGEMENTS} times each"
    return PlannedStage(f"r{number}/self_judgements", description, solutions, tokens)


def _harvest(method: MethodConfig) -> str:
    files = ", ".join(file for files in method.harvest_rule.files.values() for file in files)
    return f"by rule {method.rule}: {files}"


def _search(config: RunConfig, entry: RoundConfig, problems: int, name: str) -> PlannedStage:
    passes = [config.round_search(entry, attempt) for attempt in range(1, entry.passes + 1)]
    bounds = [entry_of(search).bound(search) for search in passes]
    settings = ", then ".join(entry_of(search).describe(search) for search in passes)
    description = (
        f"{problems} {'unsolved training ' if entry.only_unsolved else ''}problems, {passes[0].strategy}: {settings}, "
        f"{entry.values} values"
    )
    requests, tokens = sum(bound.requests for bound in bounds), sum(bound.tokens for bound in bounds)
    return PlannedStage(name, description, problems * requests, problems * tokens)


def _contender(config: RunConfig, name: str, budget: int, repeat: int, problems: int) -> PlannedStage:
    """Return the stage of one strategy at one budget.

    The budget bounds all tokens but those in flight when it ends, and requests with them: each generates a token or more.
    """
    search = config.compare.strategies[name].search(config.evaluation.search, budget, config.compare.budgets[0])
    entry = entry_of(search)
    bound = entry.bound(search)
    return PlannedStage(
        f"compare/{name}/{budget}-{repeat}",
        f"{problems} problems, {search.strategy}: {entry.describe(search)}",
        problems * min(budget, bound.requests),
        problems * min(budget, bound.tokens),
    )


def _evaluation(config: RunConfig, counts: ProblemCounts, number: int, has_reward_model: bool) -> PlannedStage:
    settings, search = config.evaluation, config.evaluation.search
    share, total = config.measured_share(number), sum(counts.splits.values())
    part = sum(round(size * share) for size in counts.splits.values())
    requests = total + part * settings.samples
    tokens = _tokens(config, requests)
    methods = f"greedy, majority of {settings.samples}"
    if has_reward_model:
        methods += f", best of {settings.samples}"
    entry = entry_of(search)
    if has_reward_model or entry.chooses_without_scores:
        bound = entry.bound(search)
        requests += part * bound.requests
        tokens += part * bound.tokens
        methods += f", {search.strategy}: {entry.describe(search)}"
    description = f"{total} problems in {len(counts.splits)} splits: {methods}"
    return PlannedStage(f"r{number}/evaluate", description, requests, tokens)


def _tokens(config: RunConfig, solutions: int) -> int:
    search = config.evaluation.search
    return solutions * search.max_depth * search.max_step_tokens
