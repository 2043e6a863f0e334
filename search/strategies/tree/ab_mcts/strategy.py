"""AB-MCTS-A over steps (Inoue et al. 2025, "Wider or Deeper?", arXiv 2503.04412): the tree branches where it pays.

for each rollout:                                                                                      (rollout.py)
    select     at each node choose by Thompson sampling: go into a child (CONT), or draw here (GEN)    (arms.py)
    draw       from the first node that says GEN draw steps, go on from the best, to the end of a solution
    score      (1 + value) / 2 of the end: its grade, or what the reward model says
    update     the arms that the rollout pulled, on the whole path                                     (posteriors.py)

A node of the paper is a whole answer, which its child refines with feedback; here it is a step, which its child goes on
from. So a draw is followed to an end, and at each node on the way the best of ``candidates`` steps goes on. With
``draw_until`` "score" and one candidate a draw is one step, as a node of the library treequest is one call: at the budget
of a few solutions that grows many first steps and no solution.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from time import monotonic

from search.concurrency import run_at_once
from search.core.stopping import finalize, should_stop
from search.data import Problem
from search.protocols import SearchServices
from search.strategies.entry import StrategyEntry
from search.strategies.tree.ab_mcts.arms import TreeArms
from search.strategies.tree.ab_mcts.config import AbMctsConfig
from search.strategies.tree.ab_mcts.rollout import Search, rollout
from search.tree import Tree


@dataclass(frozen=True, slots=True)
class AbMcts:
    """The strategy "ab_mcts".

    ``rollouts`` counts draws. ``budget_tokens`` is checked between them: once it is exhausted none begins, and those in
    flight are finished. Of several policies ``Node.action`` names the one that drew a step.
    """

    config: AbMctsConfig

    async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
        """Grow one tree. Raises whatever the services raise; a failing step is no exception but a node."""
        tree, started = Tree(problem, strategy="ab_mcts", seed=seed), monotonic()
        services.on_start(tree)
        await run_rollouts(new_search(tree, self.config, services))
        return finalize(tree, self.config, started)


def new_search(tree: Tree, config: AbMctsConfig, services: SearchServices) -> Search:
    """Return a search before its first rollout. One policy is nameless, of several each has its role."""
    policies = services.drawing_policies if services.policies else {"": services.policy}
    arms = TreeArms(prior=config.prior(), policies=tuple(policies), policy_choice=config.policy_choice)
    return Search(tree=tree, config=config, services=services, policies=policies, arms=arms)


async def run_rollouts(search: Search) -> None:
    """Run all rollouts, or those until ``should_stop``. None is in flight when this returns or raises."""
    config = search.config
    await run_at_once(
        partial(rollout, search), config.rollouts, config.parallel_rollouts, lambda: should_stop(search.tree, config)
    )


def _describe(config: AbMctsConfig) -> str:
    until = "an end" if config.draw_until == "end" else "a score"
    return f"{config.rollouts} draws until {until} x {config.candidates} candidates"


ENTRY = StrategyEntry(
    options=AbMctsConfig,
    build=AbMcts,
    bound=lambda config: config.bound(config.rollouts * config.max_depth),
    describe=_describe,
    several_policies=True,
    budget_option="rollouts",
    rollouts=lambda config: config.rollouts,
)
