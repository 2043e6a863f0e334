"""Count at most what searches take, from the bounds of their strategies.

Every rollout reaches the depth limit and every step is as long as allowed. A search that ends early, finds answers early
or draws equal steps stays far below it.
"""

from __future__ import annotations

from cluster.config.run_config import EvaluationConfig
from cluster.plan.cost import StageCost, generation_cost, scoring_cost
from cluster.plan.parameters import ModelParameters
from search.config import SearchConfig
from search.strategies.entry import Bound, Need
from search.strategies.registry import entry_of


def problem_bound(search: SearchConfig) -> Bound:
    """Return the bound of one problem: of all its trees."""
    bound = entry_of(search).bound(search)
    return Bound(search.trees * bound.requests, search.trees * bound.tokens, search.trees * bound.second_tokens)


def search_cost(
    search: SearchConfig, problems: int, models: ModelParameters, *, scored: bool, budget: int | None = None
) -> StageCost:
    """Return what a search of so many problems takes at most.

    ``scored``: with a reward model. It reads every written token once, because the states of a tree are prefixes of each
    other and the engine's prefix cache holds what it has read. ``budget``: most tokens of a tree by both policies together,
    of which as many as can be are the larger one's; each request generates a token or more.
    """
    bound = problem_bound(search)
    # A strategy that could ask a second policy draws nothing from it where there is none.
    second = bound.second_tokens if models.second_policy != 0 else 0
    first, requests = bound.tokens - bound.second_tokens, bound.requests
    drawing = models.largest_policy() if entry_of(search).several_policies else models.policy
    if budget is not None:
        limit = search.trees * budget
        requests = min(requests, limit)
        if (models.second_policy or 0) > (drawing or 0):
            second = min(second, limit)
            first = min(first, limit - second)
        else:
            first = min(first, limit)
            second = min(second, limit - first)
    cost = generation_cost(problems * requests, problems * first, drawing)
    cost += generation_cost(0, problems * second, models.second_policy)
    if scored and entry_of(search).reward_model is not Need.UNUSED:
        cost += scoring_cost(problems * (first + second), models.reward_model)
    return cost


def samples_cost(config: EvaluationConfig, problems: int, models: ModelParameters) -> tuple[StageCost, StageCost]:
    """Return what the samples of an evaluation take at most, and what a reward model takes that reads them."""
    written = search_cost(config.sampled(), problems, models, scored=False)
    return written, scoring_cost(written.generated, models.reward_model)


def evaluation_cost(
    config: EvaluationConfig, problems: int, part: int, models: ModelParameters, *, scored: bool
) -> StageCost:
    """Return what an evaluation takes: greedy on all problems, samples and the measured search on a part of them."""
    samples, scores = samples_cost(config, part, models)
    cost = search_cost(config.greedy(), problems, models, scored=False) + samples
    if scored:
        cost += scores
    if scored or entry_of(config.search).chooses_without_scores:
        cost += search_cost(config.search, part, models, scored=scored)
    return cost


def promotion_cost(
    config: EvaluationConfig, problems: int, models: ModelParameters, *, policy: bool, reward_model: bool
) -> StageCost:
    """Return what a promotion takes: greedy answers of the new and the old policy, samples read by both reward models."""
    cost = StageCost()
    if policy:
        cost += search_cost(config.greedy(), 2 * problems, models, scored=False)
    if reward_model:
        samples, scores = samples_cost(config, problems, models)
        cost += samples + scores + scores
    return cost
