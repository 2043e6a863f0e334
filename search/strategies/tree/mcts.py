"""Monte-Carlo tree search over steps (rStar-Math, arXiv 2501.04519, section 3.2): the rollouts of uct.py.

A node is expanded by candidates of the policy whose code runs (core/expansion.py). The value of an end is +1 or -1 from
the grader, or the score that the reward model gave its last step.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Literal

from pydantic import Field

from search.core.expansion import expand
from search.core.inflight import InflightRollouts
from search.core.stopping import finalize
from search.core.values import terminal_value
from search.data import Problem
from search.protocols import SearchServices
from search.strategies.entry import StrategyEntry
from search.strategies.tree.options import RolloutConfig
from search.strategies.tree.uct import run_rollouts
from search.tree import Tree


class MctsConfig(RolloutConfig):
    """Options of the strategy "mcts"."""

    strategy: Literal["mcts"] = Field("mcts", description="which strategy grows the tree")
    progressive_widening: float | None = Field(
        None,
        gt=0,
        le=1,
        description="draw again, with a new seed, at a node that was drawn from fewer than visits ** this times; null: once",
    )


@dataclass(frozen=True, slots=True)
class Mcts:
    """The strategy "mcts".

    ``rollouts`` counts passes from the root to an end. ``budget_tokens`` is checked between them: once it is exhausted no
    rollout begins, a single one is finished, and of several in flight all are cancelled as soon as the next is done.
    Tokens of cancelled requests are in no cost.
    """

    config: MctsConfig

    async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
        """Grow one tree. Raises whatever the services raise; a failing step is no exception but a node."""
        tree, started = Tree(problem, strategy="mcts", seed=seed), monotonic()
        services.on_start(tree)
        await grow(tree, self.config, services)
        return finalize(tree, self.config, started)


async def grow(
    tree: Tree, config: MctsConfig, services: SearchServices, inflight: InflightRollouts | None = None
) -> None:
    """Run the rollouts of rStar-Math: steps from the policy, values from grades and rewards."""
    expansion = config.expansion()
    await run_rollouts(
        tree,
        config,
        lambda index: expand(tree, index, expansion, services),
        lambda index: terminal_value(tree.nodes[index]),
        config.progressive_widening,
        inflight,
    )


# "paper" and "released": where the paper (section 3.2 and appendix) and the released code of rStar-Math differ.
ENTRY = StrategyEntry(
    options=MctsConfig,
    build=Mcts,
    bound=lambda config: config.bound(config.rollouts * config.max_depth),
    describe=lambda config: f"{config.rollouts} rollouts x {config.candidates} candidates",
    budget_option="rollouts",
    rollouts=lambda config: config.rollouts,
    presets={
        "paper": {
            "candidates": 8,
            "rollouts": 16,
            "unvisited_value": "inf",
            "keep_failed": False,
            "finish_first": False,
        },
        "released": {
            "candidates": 12,
            "rollouts": 48,
            "unvisited_value": "zero",
            "keep_failed": True,
            "finish_first": True,
        },
    },
)
