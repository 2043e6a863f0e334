"""Monte-Carlo tree search over steps (rStar-Math, arXiv 2501.04519, section 3.2): the rollouts of uct.py.

A node is expanded by candidates of the policy whose code runs (core/expansion.py). The value of an end is +1 or -1 from
the grader, or the score that the reward model gave its last step.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Literal

from pydantic import Field, model_validator

from search.core.expansion import expand
from search.core.inflight import InflightRollouts
from search.core.stopping import finalize
from search.core.values import terminal_value
from search.data import Problem
from search.protocols import SearchServices
from search.strategies.entry import StrategyEntry
from search.strategies.tree.options import RolloutConfig
from search.strategies.tree.rstar_math_presets import PRESETS
from search.strategies.tree.uct import Rollouts
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
    reenter: bool = Field(
        True,
        description="rollouts enter a finished solution again; off: not once its value is backed up, nor a step below which "
        "nothing is left to enter, and the tree ends when that is the question",
    )
    back_up_finished: Literal["on_visit", "at_creation"] = Field(
        "on_visit",
        description="the value of a finished solution is backed up by each rollout that ends there, or once when it is "
        "created, whether a rollout enters it or not: dead ends are then not backed up (needs reenter: false)",
    )

    @model_validator(mode="after")
    def _check_back_up(self) -> MctsConfig:
        if self.back_up_finished == "at_creation" and self.reenter:
            raise ValueError(
                "back_up_finished: at_creation needs reenter: false, because rollouts into finished solutions would back "
                "up nothing"
            )
        return self


@dataclass(frozen=True, slots=True)
class Mcts:
    """The strategy "mcts".

    ``rollouts`` counts passes from the root to an end. ``budget_tokens`` is checked between them, and with several in
    flight before every draw: once it is exhausted no rollout begins, a single one is finished, and of several none draws
    again. Requests in flight are answered, so the tokens of every request are in the tree's cost.
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
    await Rollouts(
        tree=tree,
        config=config,
        expand_at=lambda index: expand(tree, index, expansion, services),
        value_of=lambda index: terminal_value(tree.nodes[index]),
        progressive_widening=config.progressive_widening,
        reenter=config.reenter,
        back_up_at_creation=config.back_up_finished == "at_creation",
        inflight=inflight or InflightRollouts(),
    ).run()


def _rollouts(config: MctsConfig) -> int:
    """Return the rollouts of a tree; 0 where the root's visits do not count them."""
    return config.rollouts if config.reenter else 0


ENTRY = StrategyEntry(
    options=MctsConfig,
    build=Mcts,
    bound=lambda config: config.bound(config.rollouts * config.max_depth),
    describe=lambda config: f"{config.rollouts} rollouts x {config.candidates} candidates",
    budget_option="rollouts",
    rollouts=_rollouts,
    presets=PRESETS,
)
