"""Outputs of reward models as logits and probabilities, by hand."""

from __future__ import annotations

import math

import pytest

from search.reward_models import KIND_BY_LABELS, KINDS, RewardModelKind, logit_unit, probability, to_logit


def test_logit_is_the_output_or_log_odds_of_not_incorrect() -> None:
    assert to_logit([1.25]) == 1.25
    # P = 0.5, 0.3, 0.2: odds of correct or neutral 0.8 / 0.2 = 4, whatever is added to all three
    assert to_logit([math.log(0.5) + 7, math.log(0.3) + 7, math.log(0.2) + 7]) == pytest.approx(math.log(4))
    assert to_logit([800.0, -800.0, 0.0]) == 800.0
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


def test_every_kind_has_labels_and_an_aggregation() -> None:
    assert set(KIND_BY_LABELS.values()) == set(KINDS) == set(RewardModelKind)
