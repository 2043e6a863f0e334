"""Logits of judges as numbers, by hand."""

from __future__ import annotations

import math

import pytest

from search.reward_models import HEADS, USUAL, RewardModelKind, logit_unit, one_logit, probability


def test_a_head_with_one_output_gives_it_and_one_with_three_the_log_odds_of_not_wrong() -> None:
    assert one_logit([1.25]) == 1.25
    # P = 0.5, 0.3, 0.2: odds of right or neutral 0.8 / 0.2 = 4, whatever is added to all three
    assert one_logit([math.log(0.5) + 7, math.log(0.3) + 7, math.log(0.2) + 7]) == pytest.approx(math.log(4))
    assert one_logit([800.0, -800.0, 0.0]) == 800.0
    with pytest.raises(ValueError, match=r"3 \(right, neutral, wrong\), not 2"):
        one_logit([0.0, 1.0])


def test_step_scores_by_kind() -> None:
    assert probability(math.log(4), RewardModelKind.PRM) == pytest.approx(0.8)
    assert probability(-math.log(4), RewardModelKind.ORM) == pytest.approx(0.2)
    for kind in (RewardModelKind.PPM, RewardModelKind.Q_REGRESSION):
        assert probability(0.5, kind) == pytest.approx((1 + math.tanh(0.5)) / 2)
        assert probability(-2.0, kind, squash_scale=5) == pytest.approx((1 + math.tanh(-0.4)) / 2)


def test_a_verifier_by_dpo_scores_by_likelihood() -> None:
    assert probability(math.log(0.25), RewardModelKind.DPO) == pytest.approx(0.25)
    values = [math.tanh(nats / logit_unit(RewardModelKind.DPO)) for nats in (-1.0, -30.0, -60.0, -120.0)]
    assert values == sorted(values, reverse=True) and len({round(value, 3) for value in values}) == 4


@pytest.mark.parametrize("kind", list(RewardModelKind))
def test_extreme_logits_stay_in_range_and_low_ones_can_be_told_apart(kind: RewardModelKind) -> None:
    assert probability(1000.0, kind) == 1.0
    assert 0.0 < probability(-100.0, kind) < probability(-99.0, kind) < 1e-40
    assert probability(-1000.0, kind) == 0.0
    assert probability(0.0, kind) == (1.0 if kind is RewardModelKind.DPO else 0.5)


def test_every_kind_has_a_head_and_a_usual_aggregation() -> None:
    assert set(HEADS.values()) == set(USUAL) == set(RewardModelKind)
