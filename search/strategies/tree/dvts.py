"""Diverse verifier tree search: independent subtrees, each a beam of width 1 (Beeching, Tunstall and Rush, "Scaling
test-time compute with open models", Hugging Face 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic

from search.config import SearchConfig
from search.core.expansion import ExpansionConfig, expand
from search.core.stopping import finalize
from search.data import Problem
from search.evaluation.voting import Aggregation
from search.protocols import SearchServices
from search.strategies.tree.beam import Beam, carry_on, keep
from search.tree import ROOT, Tree


def deal(tree: Tree, first: Sequence[int], subtrees: int, how: Aggregation) -> list[Beam]:
    """The distinct first steps dealt out in turn, and of each hand the best: no two subtrees share a step.

    Values 0.1, 0.2, 0.3, 0.4 to two subtrees → hands (0.1, 0.3) and (0.2, 0.4), kept 0.3 and 0.4. With fewer first
    steps than subtrees the rest stay empty.
    """
    return [keep(tree, Beam(), first[hand::subtrees], how) for hand in range(subtrees)]


@dataclass(frozen=True, slots=True)
class Dvts:
    """The strategy "dvts": ``rollouts`` subtrees, in each ``candidates`` steps are drawn and the best goes on.

    One rollout is one subtree, a single pass from the root to an end: N of the source is rollouts * candidates. Their
    first steps come from one request for so many. A subtree ends where its best step is finished; all finished
    solutions of all subtrees count for the answer. ``budget_tokens`` is looked at before each depth: once it is spent
    no expansion begins, so it is overdrawn by one expansion a subtree at most.
    """

    config: SearchConfig

    async def search(self, problem: Problem, tools: SearchServices, seed: int) -> Tree:
        """Grow one tree. Raises whatever the tools raise; a failing step is no exception but a node."""
        config, tree, began = self.config, Tree(problem, strategy="dvts", seed=seed), monotonic()
        wide = replace(ExpansionConfig.of(config), candidates=config.rollouts * config.candidates)
        first = await expand(tree, ROOT, wide, tools)
        await carry_on(tree, deal(tree, first, config.rollouts, config.aggregate), config, tools)
        return finalize(tree, config, began)
