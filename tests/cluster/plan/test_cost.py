"""Requests, tokens and FLOPs of a stage, worked out by hand."""

from __future__ import annotations

from cluster.plan.cost import StageCost, generation_cost, scoring_cost, training_cost


def test_a_written_token_takes_two_operations_a_parameter() -> None:
    assert generation_cost(3, 1000, 7_000_000_000) == StageCost(requests=3, generated=1000, flops=14 * 10**12)
    assert scoring_cost(10, 5) == StageCost(scored=10, flops=100)


def test_a_learnt_token_takes_six_operations_an_epoch() -> None:
    assert training_cost(1000, 2, 7_000_000_000) == StageCost(trained=2000, flops=84 * 10**12)


def test_a_sum_is_unknown_with_a_model_of_unknown_size() -> None:
    known, unknown = scoring_cost(10, 5), generation_cost(1, 10, None)
    assert known + unknown == StageCost(requests=1, generated=10, scored=10, flops=None)


def test_costs_add_up_and_scale() -> None:
    both = generation_cost(4, 100, 3) + training_cost(10, 2, 3)
    assert both == StageCost(requests=4, generated=100, trained=20, flops=600 + 360)
    assert both.times(0.25) == StageCost(requests=1, generated=25, trained=5, flops=240)
