"""How models share cards where there are fewer cards than models."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.capacity.bundles import Supply
from cluster.capacity.choices.card_shares import shares_of_one
from cluster.capacity.choose import choose
from cluster.config.run_config import RunConfig
from tests.cluster.capacity.clusters import MODELS, node, run_config, shapes_of

ONE_CARD = Supply(nodes=(node("head", 24, 1, memory=256, card=80),))
TWO_CARDS = Supply(nodes=(node("head", 24, 2, memory=256, card=80),))


@pytest.mark.parametrize(
    ("needed", "weights", "counts", "free", "expected"),
    [
        ((0.2, 0.2), (3, 1), (1, 1), 1.0, (0.75, 0.25)),
        ((0.2, 0.4), (3, 1), (1, 1), 1.0, (0.6, 0.4)),  # a quarter is too little for the second
        ((0.85, 0.1), (3, 1), (1, 1), 1.0, (0.9, 0.1)),  # three quarters are too little for the first
        ((0.1, 0.1), (3, 1), (1, 1), 0.5, (0.4, 0.1)),  # multiples of 0.05: 0.375 and 0.125 are 0.4 and 0.1
        ((0.1, 0.1), (3, 1), (2, 1), 1.0, (0.45, 0.1)),  # two of 0.4 and one of 0.25 would be too much
        ((0.9, 0.9), (3, 1), (1, 1), 1.0, (0.9, 0.9)),  # does not fit, and is refused by what they need
    ],
)
def test_shares_are_by_weight_unless_a_model_needs_more(
    needed: tuple[float, ...],
    weights: tuple[int, ...],
    counts: tuple[int, ...],
    free: float,
    expected: tuple[float, ...],
) -> None:
    names = ("policy", "reward_model")
    keyed = [dict(zip(names, values, strict=True)) for values in (needed, weights, counts)]
    assert shares_of_one(*keyed, free) == pytest.approx(dict(zip(names, expected, strict=True)))


def engines(config: RunConfig) -> list[tuple[int, float]]:
    sections = [config.policy.engine, *(policy.engine for policy in config.policies), config.reward_model.engine]
    return [(engine.replicas, engine.gpus) for engine in sections if engine is not None]


def chosen(supply: Supply, **fields: Any) -> RunConfig:
    return choose(run_config(**fields), supply, shapes_of(MODELS["0.5B"])).config


def test_share_given_to_one_model_is_left_out_for_the_others() -> None:
    config = chosen(ONE_CARD, policy={"path": "/m", "engine": {"gpus": 0.4}})
    assert engines(config) == [(1, 0.4), (1, 0.6)]
    config = chosen(TWO_CARDS, policy={"path": "/m", "engine": {"gpus": 0.5, "replicas": 2}})
    assert engines(config) == [(2, 0.5), (1, 1)]


def test_three_models_on_two_cards_have_halves() -> None:
    search = {"strategy": "ab_mcts"}
    config = chosen(TWO_CARDS, search=search, policies=[{"path": "/other"}])
    assert engines(config) == [(2, 0.5), (1, 0.5), (1, 0.5)]  # the fourth half is one more engine of the policy
    assert sum(replicas * gpus for replicas, gpus in engines(config)) == 2


def test_model_with_a_share_of_memory_keeps_its_card() -> None:
    config = chosen(ONE_CARD, policy={"path": "/m", "engine": {"gpu_memory_utilization": 0.8}})
    assert engines(config)[0] == (1, 1)  # with the reward model beside it that is refused
