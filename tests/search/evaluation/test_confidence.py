"""Intervals against worked examples, and their coverage against simulated measurements."""

from __future__ import annotations

import math
import random

import pytest

from search.evaluation.confidence import bootstrap_mean, mean_of_shares, paired_difference, wilson


def test_wilson_by_hand() -> None:
    # 8 of 10 with z = 2: (0.8 + 0.2 ± 2·sqrt(0.016 + 0.01)) / 1.4
    interval = wilson(8, 10, z=2.0)
    assert (interval.mean, interval.n) == (0.8, 10)
    assert interval.low == pytest.approx((1.0 - 2 * math.sqrt(0.026)) / 1.4)
    assert interval.high == pytest.approx((1.0 + 2 * math.sqrt(0.026)) / 1.4)


def test_wilson_at_95_percent() -> None:
    interval = wilson(8, 10)
    assert (interval.low, interval.high) == (pytest.approx(0.4901625, abs=1e-6), pytest.approx(0.9433178, abs=1e-6))


def test_wilson_interval_has_width_at_0_and_1() -> None:
    none, full = wilson(0, 20), wilson(20, 20)
    assert (none.low, none.high) == (0.0, pytest.approx(0.1611252, abs=1e-6))
    assert (full.low, full.high) == (pytest.approx(0.8388748, abs=1e-6), 1.0)


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="0 <= successes <= n"):
        wilson(successes, n)


def test_mean_of_shares_is_wilson_for_zeros_and_ones() -> None:
    assert mean_of_shares([1.0] * 8 + [0.0] * 2) == wilson(8, 10)
    assert mean_of_shares([0.8] * 10) == wilson(8, 10)
    assert mean_of_shares([1.0] * 3).high == 1.0
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        mean_of_shares([0.5, 1.5])


def test_bootstrap_is_seeded_and_close_to_normal() -> None:
    rng = random.Random(5)
    values = [rng.random() for _ in range(400)]
    interval = bootstrap_mean(values, seed=1)
    reach = 1.96 * math.sqrt(1 / 12 / 400)
    assert interval == bootstrap_mean(values, seed=1)
    assert interval.low == pytest.approx(interval.mean - reach, abs=0.004)
    assert interval.high == pytest.approx(interval.mean + reach, abs=0.004)
    assert bootstrap_mean([2.0, 2.0]).low == bootstrap_mean([2.0, 2.0]).high == 2.0
    with pytest.raises(ValueError, match="no values"):
        bootstrap_mean([])


def test_paired_difference_cancels_the_difficulty() -> None:
    rng = random.Random(7)
    second = [float(rng.random() < 0.5) for _ in range(300)]
    first = [1.0 if i % 10 == 0 else value for i, value in enumerate(second)]
    gained = sum(a - b for a, b in zip(first, second, strict=True)) / 300
    interval = paired_difference(first, second, seed=2)
    assert interval.mean == pytest.approx(gained)
    assert interval.low > 0.0
    assert interval.high - interval.low < 0.06
    assert paired_difference(second, second).high == 0.0
    with pytest.raises(ValueError, match="argument 2"):
        paired_difference([1.0], [1.0, 0.0])


def test_wilson_covers_95_percent_of_measurements() -> None:
    rng = random.Random(11)
    covered = 0
    for _ in range(1000):
        interval = wilson(sum(rng.random() < 0.3 for _ in range(50)), 50)
        covered += interval.low <= 0.3 <= interval.high
    assert 930 <= covered <= 970
