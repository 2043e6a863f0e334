"""Upper bounds of searches and evaluations, worked out by hand."""

from __future__ import annotations

from cluster.config.run_config import EvaluationConfig
from cluster.plan.cost import StageCost
from cluster.plan.parameters import ModelParameters
from cluster.plan.searches import evaluation_cost, promotion_cost, search_cost
from search.strategies.entry import Bound
from search.strategies.registry import entry_of, search_config

MODELS = ModelParameters(policy=10, second_policy=100, reward_model=1000)
MCTS = search_config(rollouts=3, candidates=2, max_depth=5, max_step_tokens=7)
SAMPLES = search_config(strategy="sampling", candidates=4, max_solution_tokens=30, max_step_tokens=10)


def test_a_search_writes_and_scores_every_candidate() -> None:
    """3 rollouts x 5 expansions = 15 requests of 2 candidates of 7 tokens = 210 tokens, of each of 4 problems."""
    assert search_cost(MCTS, 4, MODELS, scored=False) == StageCost(requests=60, generated=840, flops=2 * 10 * 840)
    scored = search_cost(MCTS, 4, MODELS, scored=True)
    assert scored == StageCost(requests=60, generated=840, scored=840, flops=2 * (10 + 1000) * 840)


def test_every_tree_of_a_problem_counts() -> None:
    three = MCTS.model_copy(update={"trees": 3})
    assert search_cost(three, 4, MODELS, scored=True) == search_cost(MCTS, 12, MODELS, scored=True)


def test_a_second_policy_writes_its_share_if_there_is_one() -> None:
    search = search_config(preset="rstar", rollouts=2)
    bound = entry_of(search).bound(search)
    assert 0 < bound.second_tokens < bound.tokens
    cost = search_cost(search, 1, MODELS, scored=True)
    first = bound.tokens - bound.second_tokens
    assert (cost.generated, cost.scored, cost.flops) == (bound.tokens, 0, 2 * (10 * first + 100 * bound.second_tokens))
    alone = search_cost(search, 1, ModelParameters(policy=10), scored=False)
    assert (alone.generated, alone.flops) == (first, 20 * first)


def test_a_budget_limits_what_both_policies_write_together() -> None:
    search = search_config(preset="rstar", rollouts=2, trees=3)
    alone = search_cost(search, 4, ModelParameters(policy=10), scored=False, budget=50)
    assert (alone.requests, alone.generated, alone.flops) == (4 * 3 * 50, 4 * 3 * 50, 20 * 600)
    both = search_cost(search, 4, MODELS, scored=False, budget=50)
    assert (both.generated, both.flops) == (600, 200 * 600)  # all by the second policy, the larger one


def test_an_evaluation_is_greedy_samples_and_a_search() -> None:
    """Greedy: 2 requests and 40 tokens a problem. 4 samples: 8 requests, 160 tokens. Search as above: 15 and 210."""
    config = EvaluationConfig(samples=4, search=MCTS.model_copy(update={"max_solution_tokens": 33}))
    greedy, samples = (33 + 7), 4 * (33 + 7)
    plain = evaluation_cost(config, 10, 5, MODELS, scored=False)
    assert plain == StageCost(
        requests=10 * 2 + 5 * 8, generated=10 * greedy + 5 * samples, flops=20 * (10 * greedy + 5 * samples)
    )
    scored = evaluation_cost(config, 10, 5, MODELS, scored=True)
    assert scored.requests == plain.requests + 5 * 15
    assert scored.scored == 5 * (samples + 210)


def test_a_promotion_measures_old_and_new_models() -> None:
    config = EvaluationConfig(samples=4, search=SAMPLES)
    assert promotion_cost(config, 6, MODELS, policy=True, reward_model=False) == StageCost(
        requests=2 * 6 * 2, generated=2 * 6 * 40, flops=20 * 480
    )
    both = promotion_cost(config, 6, MODELS, policy=False, reward_model=True)
    assert (both.requests, both.generated, both.scored) == (6 * 8, 6 * 160, 2 * 6 * 160)
    assert promotion_cost(config, 6, MODELS, policy=False, reward_model=False) == StageCost()


def test_the_bound_of_a_strategy_is_that_of_one_tree() -> None:
    assert entry_of(MCTS).bound(MCTS) == Bound(15, 210)
