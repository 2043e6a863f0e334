"""Best-of-N (Let's Verify Step by Step, section 2): the solutions of sampling.py, and one answer from their scores."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

from search.config import SearchConfig
from search.core.stopping import finalize
from search.data import Problem
from search.protocols import SearchServices
from search.strategies.sampling.sampling import draw_solutions, score_solutions
from search.tree import Tree


@dataclass(frozen=True, slots=True)
class BestOf:
    """The strategy "best_of". The same seed draws the same solutions as "samples".

    N is ``candidates``, whole solutions; ``rollouts`` has no meaning. ``budget_tokens`` is that of ``samples.draw``:
    with a budget N comes in several requests, and none is sent once it is spent. A solution's score is ``aggregate``
    of its steps' rewards. Without a reward model every solution counts the same: "weighted" is then the majority.
    """

    config: SearchConfig

    async def search(self, problem: Problem, tools: SearchServices, seed: int) -> Tree:
        """Draw the solutions of one problem, score them and settle on an answer."""
        tree, began = Tree(problem, strategy="best_of", seed=seed), monotonic()
        ends = await draw_solutions(tree, self.config, tools)
        await score_solutions(tree, ends, self.config.aggregate, self.config.squash_scale, tools)
        return finalize(tree, self.config, began)
