"""Diverse verifier tree search: independent subtrees, each a beam of width 1 (Beeching, Tunstall and Rush, "Scaling
test-time compute with open models", Hugging Face 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Literal

from pydantic import Field

from search.core.expansion import expand
from search.core.stopping import finalize
from search.data import Aggregation, Problem
from search.protocols import SearchServices
from search.strategies.entry import Bound, StrategyEntry
from search.strategies.tree.beam import Beam, extend_beams, keep
from search.strategies.tree.options import TreeConfig
from search.tree import ROOT, Tree


class DvtsConfig(TreeConfig):
    """Options of the strategy "dvts"."""

    strategy: Literal["dvts"] = Field("dvts", description="which strategy grows the tree")
    rollouts: int = Field(8, ge=1, description="subtrees, one root-to-leaf pass each")


def deal(tree: Tree, first_steps: Sequence[int], subtrees: int, aggregation: Aggregation) -> list[Beam]:
    """Deal the distinct first steps out in turn and keep the best of each hand: no two subtrees share a step.

    Values 0.1, 0.2, 0.3, 0.4 to two subtrees → hands (0.1, 0.3) and (0.2, 0.4), kept 0.3 and 0.4. With fewer first
    steps than subtrees the rest stay empty.
    """
    return [keep(tree, Beam(), first_steps[hand::subtrees], aggregation) for hand in range(subtrees)]


@dataclass(frozen=True, slots=True)
class Dvts:
    """The strategy "dvts": ``rollouts`` subtrees, in each ``candidates`` steps are drawn and the best goes on.

    One rollout is one subtree, a single pass from the root to an end: N of the source is rollouts * candidates. Their
    first steps come from one request for so many. A subtree ends where its best step is finished; all finished
    solutions of all subtrees count for the answer. ``budget_tokens`` is checked before each depth: once it is exhausted
    no expansion begins, so it is overdrawn by one expansion a subtree at most.
    """

    config: DvtsConfig

    async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
        """Grow one tree. Raises whatever the services raise; a failing step is no exception but a node."""
        config, tree, started = self.config, Tree(problem, strategy="dvts", seed=seed), monotonic()
        wide = replace(config.expansion(), candidates=config.rollouts * config.candidates)
        first_steps = await expand(tree, ROOT, wide, services)
        beams = deal(tree, first_steps, config.rollouts, config.aggregation)
        await extend_beams(tree, beams, config, services)
        return finalize(tree, config, started)


def _bound(config: DvtsConfig) -> Bound:
    tokens = config.bound(config.rollouts * config.max_depth).tokens
    return Bound(1 + config.rollouts * (config.max_depth - 1), tokens)


ENTRY = StrategyEntry(
    options=DvtsConfig,
    build=Dvts,
    bound=_bound,
    describe=lambda config: f"{config.rollouts} subtrees x {config.candidates} candidates",
    budget_option="rollouts",
)
