"""Options of the strategy "ab_mcts"."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from search.strategies.tree.ab_mcts.arms import PolicyChoice
from search.strategies.tree.ab_mcts.posteriors import BetaPosterior, GaussianPosterior, Posterior
from search.strategies.tree.options import TreeConfig

MOST_PARALLEL = 5  # rollouts in flight beyond which the tree grows too wide (treequest, README)


class AbMctsConfig(TreeConfig):
    """Options of the strategy "ab_mcts"."""

    strategy: Literal["ab_mcts"] = Field("ab_mcts", description="which strategy grows the tree")
    rollouts: int = Field(8, ge=1, description="draws of a tree, each followed as draw_until says")
    candidates: int = Field(
        2,
        ge=1,
        description="steps drawn at each node of a draw, the best of which goes on; 1: as the library treequest draws",
    )
    parallel_rollouts: int = Field(
        1,
        ge=1,
        le=MOST_PARALLEL,
        description="draws of one tree at once; they do not see each other's scores, which makes the tree wider, and above 1 "
        "it depends on which engine answers first",
    )
    draw_until: Literal["end", "score"] = Field(
        "end",
        description="end: a draw goes on, step by step, to the end of a solution; score: it is one step where a reward model "
        "scores it, as in the library treequest, so that few draws reach an end",
    )
    posterior: Literal["gaussian", "beta"] = Field(
        "gaussian", description="what is believed of an arm's mean score in [0, 1]: normal-inverse-chi-squared, or Beta"
    )
    prior_mean: float = Field(0.0, ge=0, le=1, description="gaussian: the mean score before any draw (m)")
    prior_draws: float = Field(1.0, gt=0, description="gaussian: the draws that this mean counts as (kappa)")
    prior_variance: float = Field(
        0.1, gt=0, description="gaussian: the variance of scores before any draw (tau squared)"
    )
    prior_variance_draws: float = Field(1.0, gt=0, description="gaussian: the draws that this variance counts as (nu)")
    prior_successes: float = Field(0.5, gt=0, description="beta: successes before any draw (a)")
    prior_failures: float = Field(0.5, gt=0, description="beta: failures before any draw (b)")
    policy_choice: PolicyChoice = Field(
        PolicyChoice.THOMPSON,
        description="of several policies (policies): thompson or ucb over all that each of them drew in the tree, after the "
        "choice to draw; stack: before it, at each node, with arms of its own for each policy",
    )

    def prior(self) -> Posterior:
        """Return every arm's posterior before its first score."""
        if self.posterior == "beta":
            return BetaPosterior(self.prior_successes, self.prior_failures)
        return GaussianPosterior(self.prior_mean, self.prior_draws, self.prior_variance_draws, self.prior_variance)
