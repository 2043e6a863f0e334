"""Outputs of reward models as logits and probabilities, by hand."""

from __future__ import annotations

import math

import pytest

from search.data import Aggregation
from search.reward_models import (
    KIND_BY_LABELS,
    KINDS,
    JudgeConfig,
    ReadingConfig,
    RewardModelKind,
    default_aggregation,
    logit_unit,
    probability,
    sigmoid,
    to_logit,
)
from search.reward_models.log_odds import class_log_odds, to_log_odds


def test_logit_is_the_output_or_log_odds_of_not_incorrect() -> None:
    assert to_logit([1.25]) == 1.25
    # P = 0.5, 0.3, 0.2: odds of correct or neutral 0.8 / 0.2 = 4, whatever is added to all three
    assert to_logit([math.log(0.5) + 7, math.log(0.3) + 7, math.log(0.2) + 7]) == pytest.approx(math.log(4))
    assert to_logit([800.0, -800.0, 0.0]) == 800.0
    # neutral counted as incorrect: 0.5 / (0.3 + 0.2)
    assert to_logit([math.log(0.5), math.log(0.3), math.log(0.2)], neutral_is_correct=False) == pytest.approx(0.0)
    assert to_logit([1.25], neutral_is_correct=False) == 1.25
    with pytest.raises(ValueError, match=r"3 \(correct, neutral, incorrect\), not 2"):
        to_logit([0.0, 1.0])


def test_probability_by_hand_for_each_kind() -> None:
    assert probability(math.log(4), RewardModelKind.PRM) == pytest.approx(0.8)
    assert probability(-math.log(4), RewardModelKind.ORM) == pytest.approx(0.2)
    for kind in (RewardModelKind.PPM, RewardModelKind.Q_REGRESSION):
        assert probability(0.5, kind) == pytest.approx((1 + math.tanh(0.5)) / 2)
        assert probability(-2.0, kind, squash_scale=5) == pytest.approx((1 + math.tanh(-0.4)) / 2)


def test_probability_of_dpo_is_the_likelihood() -> None:
    assert probability(math.log(0.25), RewardModelKind.DPO) == pytest.approx(0.25)
    values = [math.tanh(nats / logit_unit(RewardModelKind.DPO)) for nats in (-1.0, -30.0, -60.0, -120.0)]
    assert values == sorted(values, reverse=True) and len({round(value, 3) for value in values}) == 4


@pytest.mark.parametrize("kind", list(RewardModelKind))
def test_probability_stays_in_range_and_keeps_low_logits_apart(kind: RewardModelKind) -> None:
    assert probability(1000.0, kind) == 1.0
    assert 0.0 < probability(-100.0, kind) < probability(-99.0, kind) < 1e-40
    assert probability(-1000.0, kind) == 0.0
    assert probability(0.0, kind) == (1.0 if kind is RewardModelKind.DPO else 0.5)


def test_class_log_odds_by_hand() -> None:
    # P = 0.1, 0.6, 0.3: the odds of the last two are 0.9 / 0.1
    outputs = [math.log(0.1) - 3, math.log(0.6) - 3, math.log(0.3) - 3]
    assert class_log_odds(outputs, (1, 2)) == pytest.approx(math.log(9))
    assert class_log_odds([-900.0, 900.0], (1,)) == 1800.0  # no probability that saturates is computed
    assert sigmoid(to_log_odds(0.25)) == pytest.approx(0.25)


def test_every_kind_is_registered_and_trained_ones_have_labels() -> None:
    assert set(KINDS) == set(RewardModelKind)
    assert all(KIND_BY_LABELS[entry.labels] is kind for kind, entry in KINDS.items() if entry.labels)
    trained = {RewardModelKind(name) for name in ("ppm", "q_regression", "orm", "dpo", "prm")}
    assert set(KIND_BY_LABELS.values()) == trained


def test_aggregation_has_a_default_per_kind() -> None:
    of = {kind: default_aggregation(kind) for kind in RewardModelKind}
    products = {kind for kind, aggregation in of.items() if aggregation is Aggregation.PRODUCT}
    assert products == {RewardModelKind.PRM, RewardModelKind.QWEN_PRM, RewardModelKind.JUDGE}
    assert of[RewardModelKind.MATH_SHEPHERD] is Aggregation.MIN
    assert of[RewardModelKind.RLHFLOW] is Aggregation.MEAN
    assert of[RewardModelKind.PPM] is default_aggregation(None) is Aggregation.LAST
    judges_solutions = ReadingConfig(judge=JudgeConfig(scope="solution"))
    assert default_aggregation(RewardModelKind.JUDGE, judges_solutions) is Aggregation.LAST
