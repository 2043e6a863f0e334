"""Scores of solutions in log-odds: the definitions in probabilities by hand, and no ties between large logits."""

from __future__ import annotations

import math
from itertools import permutations

import pytest

from search.data import Aggregation
from search.evaluation.aggregation import (
    aggregate_log_odds,
    exact_weights,
    log_sigmoid,
    probability_weights,
    rank,
)
from search.reward_models import RewardModelKind, log_odds, probability, sigmoid

STEPS = (math.log(4), math.log(1 / 3), 0.0)  # probabilities 0.8, 0.25, 0.5


@pytest.mark.parametrize(
    ("aggregation", "value"),
    [(Aggregation.PRODUCT, 0.1), (Aggregation.MIN, 0.25), (Aggregation.LAST, 0.5), (Aggregation.MEAN, 1.55 / 3)],
)
def test_log_odds_are_those_of_the_aggregated_probability(aggregation: Aggregation, value: float) -> None:
    assert sigmoid(aggregate_log_odds(STEPS, aggregation)) == pytest.approx(value)


def test_aggregated_log_odds_do_not_saturate() -> None:
    assert aggregate_log_odds((50.0, 60.0), Aggregation.PRODUCT) == pytest.approx(50 - 4.54e-5, abs=1e-7)
    assert aggregate_log_odds((900.0, 1000.0), Aggregation.PRODUCT) == pytest.approx(900)
    assert aggregate_log_odds((-900.0, -1000.0), Aggregation.PRODUCT) == pytest.approx(-1900)
    assert aggregate_log_odds((60.0, 60.0), Aggregation.MEAN) == 60.0
    assert log_sigmoid(-800.0) == -800.0
    with pytest.raises(ValueError, match="no step scores"):
        aggregate_log_odds((), Aggregation.MEAN)


@pytest.mark.parametrize("aggregation", [Aggregation.PRODUCT, Aggregation.MEAN])
def test_rank_tells_apart_sums_that_rounding_made_equal(aggregation: Aggregation) -> None:
    low, high = rank((-3.0, 50.0), aggregation), rank((-3.0, 60.0), aggregation)
    assert low[0] == high[0] and low < high
    assert len({rank(steps, aggregation) for steps in permutations((-3.0, 50.0, 1.7))}) == 1  # in any order


def test_longer_product_of_equal_steps_ranks_lower() -> None:
    assert rank((-3.0, 50.0, 60.0), Aggregation.PRODUCT) < rank((-3.0, 50.0), Aggregation.PRODUCT)


def test_probability_weights_are_exact_next_to_one() -> None:
    first, second, zero, one = probability_weights((50.0, 60.0, -math.inf, math.inf))
    assert zero == 0 < first < second < one
    assert (one - first) / one == pytest.approx(math.exp(-50))
    assert (one - second) / one == pytest.approx(math.exp(-60))
    half, quarter, whole = probability_weights((0.0, math.log(1 / 3), math.inf))
    assert (half / whole, quarter / whole) == pytest.approx((0.5, 0.25))


def test_exact_weights_keep_ratios_and_small_terms() -> None:
    largest, half, tiny = exact_weights((7.0, 7.0 + math.log(0.5), 7.0 - 2000.0))
    assert (half / largest, tiny > 0) == (pytest.approx(0.5), True)
    assert largest + tiny > largest
    assert exact_weights(()) == []


def test_log_odds_of_each_kind_stay_distinct_where_scores_do_not() -> None:
    for kind in RewardModelKind:
        low, high = (-900.0, -800.0) if kind is RewardModelKind.DPO else (40.0, 41.0)
        assert probability(low, kind) == probability(high, kind)
        assert log_odds(low, kind) < log_odds(high, kind)
    assert probability(-2.0, RewardModelKind.DPO) == pytest.approx(math.exp(-2))
    assert probability(0.0, RewardModelKind.DPO) == 1.0
