"""Posteriors of the mean score of a bandit's arm, for Thompson sampling: scores in [0, 1], updated one at a time.

Priors and updates are those of AB-MCTS-A (arXiv 2503.04412; library treequest, algos/ab_mcts_a/prob_state.py).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Protocol, Self

LEAST_GAMMA = 1e-300  # in place of a draw of 0, by which nothing can be divided


class Posterior(Protocol):
    """What is believed of an arm's mean score."""

    @property
    def mean(self) -> float:
        """The expected mean score."""
        ...

    def after(self, score: float) -> Self:
        """Return the posterior after one more score."""
        ...

    def draw(self, rng: random.Random) -> float:
        """Return a random mean score, drawn from the posterior."""
        ...


@dataclass(frozen=True, slots=True)
class GaussianPosterior:
    """Posterior of the mean of normal scores of unknown variance: normal-inverse-chi-squared, as its prior.

    Murphy, "Probabilistic Machine Learning: Advanced Topics", section 3.4.3.3:

        variance ~ scaled inverse chi-squared(nu, tau_squared),  mean score ~ N(m, variance / kappa)
        after a score x:  m' = (kappa * m + x) / (kappa + 1),  kappa' = kappa + 1,  nu' = nu + 1,
                          tau_squared' = (nu * tau_squared + kappa * (x - m) ** 2 / (kappa + 1)) / (nu + 1)

    One score at a time comes to the same as the textbook's sums over all of them. From the library's prior (m 0, kappa 1,
    nu 1, tau_squared 0.1) and the score 0.8: m 0.4, kappa 2, nu 2, tau_squared (0.1 + 0.64 / 2) / 2 = 0.21.
    """

    m: float = 0.0
    kappa: float = 1.0
    nu: float = 1.0
    tau_squared: float = 0.1

    @property
    def mean(self) -> float:
        return self.m

    def after(self, score: float) -> GaussianPosterior:
        kappa, nu = self.kappa + 1, self.nu + 1
        spread = self.nu * self.tau_squared + self.kappa * (score - self.m) ** 2 / kappa
        return GaussianPosterior((self.kappa * self.m + score) / kappa, kappa, nu, spread / nu)

    def draw(self, rng: random.Random) -> float:
        """Return a mean score: first a variance nu * tau_squared / (2 * Gamma(nu / 2)), then a normal draw by it."""
        gamma = max(rng.gammavariate(self.nu / 2, 1.0), LEAST_GAMMA)
        variance = self.nu * self.tau_squared / (2 * gamma)
        return rng.gauss(self.m, math.sqrt(variance / self.kappa))


@dataclass(frozen=True, slots=True)
class BetaPosterior:
    """Beta posterior of a mean score: a score x counts as x successes and 1 - x failures.

    a' = a + x, b' = b + 1 - x. From Jeffreys' prior (a 0.5, b 0.5) and the score 0.8: a 1.3, b 0.7, mean 0.65.
    """

    a: float = 0.5
    b: float = 0.5

    @property
    def mean(self) -> float:
        return self.a / (self.a + self.b)

    def after(self, score: float) -> BetaPosterior:
        return BetaPosterior(self.a + score, self.b + 1 - score)

    def draw(self, rng: random.Random) -> float:
        return rng.betavariate(self.a, self.b)
