"""Best-of-N (Let's Verify Step by Step, arXiv 2305.20050, section 2): independent solutions, one answer from their scores."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Literal

from pydantic import Field

from search.config import SearchConfig
from search.core.stopping import finalize
from search.data import Problem
from search.protocols import SearchServices
from search.strategies.entry import StrategyEntry
from search.strategies.sampling.solutions import bound, draw_solutions, score_solutions
from search.tree import Tree


class BestOfNConfig(SearchConfig):
    """Options of the strategy "best_of_n"."""

    strategy: Literal["best_of_n"] = Field("best_of_n", description="which strategy grows the tree")
    candidates: int = Field(4, ge=1, description="N, solutions drawn")


@dataclass(frozen=True, slots=True)
class BestOfN:
    """The strategy "best_of_n". The same seed draws the same solutions as "sampling".

    With ``budget_tokens`` the N solutions come in several requests, and none is sent once it is exhausted. A solution's
    score is ``step_aggregation`` of its steps' rewards. Without a reward model every solution counts the same: "weighted"
    is then the majority.
    """

    config: BestOfNConfig

    async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
        """Draw the solutions of one problem, score them and choose an answer."""
        config, tree, started = self.config, Tree(problem, strategy="best_of_n", seed=seed), monotonic()
        ends = await draw_solutions(tree, config, config.candidates, services)
        await score_solutions(tree, ends, config.aggregation, config.squash_scale, services)
        return finalize(tree, config, started)


ENTRY = StrategyEntry(
    options=BestOfNConfig,
    build=BestOfN,
    bound=lambda config: bound(config, config.candidates),
    describe=lambda config: f"{config.candidates} samples",
    has_independent_samples=True,
    whole_solutions=True,
)
