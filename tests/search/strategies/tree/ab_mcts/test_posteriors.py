"""Posteriors of an arm's mean score: updates by hand, and draws that follow them."""

from __future__ import annotations

import math
import random
from dataclasses import astuple
from statistics import fmean, variance

import pytest

from search.strategies.tree.ab_mcts.arms import after_all
from search.strategies.tree.ab_mcts.posteriors import BetaPosterior, GaussianPosterior, Posterior

DRAWS = 20_000


def test_gaussian_update_by_hand() -> None:
    once = GaussianPosterior().after(0.8)
    assert astuple(once) == pytest.approx((0.4, 2, 2, 0.21))  # (0.1 + 1 * 0.8 ** 2 / 2) / 2
    twice = once.after(0.2)
    assert astuple(twice) == pytest.approx((1 / 3, 3, 3, (2 * 0.21 + 2 * 0.2**2 / 3) / 3))


def test_gaussian_updates_come_to_the_sums_of_the_textbook() -> None:
    prior, scores = GaussianPosterior(0.3, 2.0, 3.0, 0.2), [0.9, 0.1, 0.55, 1.0]
    n, mean = len(scores), fmean(scores)
    spread = 3.0 * 0.2 + sum((x - mean) ** 2 for x in scores) + n * 2.0 / (n + 2.0) * (0.3 - mean) ** 2
    expected = ((2.0 * 0.3 + n * mean) / (n + 2.0), n + 2.0, n + 3.0, spread / (n + 3.0))
    assert astuple(after_all(prior, scores)) == pytest.approx(expected, abs=1e-12)  # type: ignore[call-overload]


def test_beta_update_by_hand() -> None:
    posterior = BetaPosterior().after(0.8)
    assert astuple(posterior) == pytest.approx((1.3, 0.7))
    assert posterior.mean == pytest.approx(0.65)
    assert posterior.after(0.0).mean == pytest.approx(1.3 / 3)


@pytest.mark.parametrize(
    ("posterior", "mean", "spread"),
    [
        (BetaPosterior(6.0, 2.0), 0.75, 0.75 * 0.25 / 9),
        # a Student t of nu degrees: variance tau_squared / kappa * nu / (nu - 2)
        (GaussianPosterior(0.4, 4.0, 12.0, 0.2), 0.4, 0.2 / 4 * 12 / 10),
    ],
)
def test_draws_have_the_mean_and_variance(posterior: Posterior, mean: float, spread: float) -> None:
    rng = random.Random(3)
    draws = [posterior.draw(rng) for _ in range(DRAWS)]
    assert posterior.mean == pytest.approx(mean)
    assert fmean(draws) == pytest.approx(mean, abs=5 * math.sqrt(spread / DRAWS))
    assert variance(draws) == pytest.approx(spread, rel=0.06)


def test_draw_is_finite_when_the_variance_is_not() -> None:
    class Zero(random.Random):
        def gammavariate(self, alpha: float, beta: float) -> float:
            return 0.0

    assert math.isfinite(GaussianPosterior().draw(Zero(1)))


def test_equal_seeds_draw_the_same() -> None:
    for posterior in (GaussianPosterior(), BetaPosterior()):
        assert posterior.draw(random.Random(5)) == posterior.draw(random.Random(5))
