"""Independent solutions without an answer of their own: greedy decoding and majority votes read this tree."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Literal

from pydantic import Field

from search.config import SearchConfig
from search.core.stopping import add_elapsed
from search.data import Problem
from search.protocols import SearchServices
from search.strategies.entry import Need, StrategyEntry
from search.strategies.sampling.solutions import bound, draw_solutions, score_solutions
from search.tree import Tree


class SamplingConfig(SearchConfig):
    """Options of the strategy "sampling"."""

    strategy: Literal["sampling"] = Field("sampling", description="which strategy grows the tree")
    candidates: int = Field(4, ge=1, description="solutions drawn")


@dataclass(frozen=True, slots=True)
class IndependentSampling:
    """The strategy "sampling". Its tree has no answer: the reader chooses one. ``budget_tokens`` as in ``draw_solutions``."""

    config: SamplingConfig

    async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
        """Draw the solutions of one problem and score their ends, or all steps: see ``score_solutions``."""
        config, tree, started = self.config, Tree(problem, strategy="sampling", seed=seed), monotonic()
        ends = await draw_solutions(tree, config, config.candidates, services)
        await score_solutions(tree, ends, config.aggregation, config.squash_scale, services)
        return add_elapsed(tree, started)


ENTRY = StrategyEntry(
    options=SamplingConfig,
    build=IndependentSampling,
    bound=lambda config: bound(config, config.candidates),
    describe=lambda config: f"{config.candidates} samples",
    has_independent_samples=True,
    whole_solutions=True,
    chooses_answer=False,
    reward_model=Need.OPTIONAL,
)
