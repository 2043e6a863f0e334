"""Search by rStar (arXiv 2408.06195): over five actions whose reward is how much the draws of an action agree.

    rollouts   those of uct.py, unvisited children in a random order
    expand     by every permitted action; A2, A3 and A4 by votes     (actions.py, prompts.py, votes.py)
    back up    the share of an end's votes that gave its answer, 0 without one
    then       a second policy completes the solutions               (mutual_consistency.py)
               the answer is that of the best solution on which both agree
    last       grade the ends, where there is a grader: nothing depends on it any more

The search never sees a reference answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic

from search.core.expansion import node_seed
from search.core.stopping import add_elapsed, await_grades
from search.data import Problem
from search.protocols import SearchServices
from search.seeds import derive
from search.strategies.entry import Need, StrategyEntry
from search.strategies.tree.rstar.config import PRESETS, RstarConfig, bound
from search.strategies.tree.rstar.expansion import ActionTree
from search.strategies.tree.rstar.mutual_consistency import choose_answer
from search.strategies.tree.uct import Rollouts
from search.tree import Tree


@dataclass(frozen=True, slots=True)
class Rstar:
    """The strategy "rstar"; the paper's settings are the preset "rstar" (MATH: ``max_actions`` 8).

    ``candidates`` is the number of children by A1 and by A3, the other actions have one; a path has at most
    ``max_actions`` actions, of however many steps. What A2 draws is the majority of ``votes`` draws, what A3 and A4 answer
    that of ``sub_votes``.
    With ``instructions`` an action is a request put to the policy after the steps so far, without them a way of drawing.
    ``services.second_policy`` is the discriminator; without one the best solution answers unchecked. ``budget_tokens``
    is checked between rollouts, as "mcts" does, and once more before the discriminator is asked.
    """

    config: RstarConfig

    async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
        """Grow one tree. Raises whatever the services raise; a failing step is no exception but a node."""
        tree, started = Tree(problem, strategy="rstar", seed=seed), monotonic()
        services.on_start(tree)
        blind = replace(services, reward_model=None, grader=None)
        actions = ActionTree(tree=tree, config=self.config, services=blind)
        await Rollouts(
            tree=tree,
            config=self.config,
            expand_at=actions.expand,
            value_of=actions.reward,
            order=lambda child: visiting_order(tree, child),
        ).run()
        tree.answer = await choose_answer(tree, self.config, actions.reward, blind)
        await await_grades(tree, services.grader)
        return add_elapsed(tree, started)


def visiting_order(tree: Tree, child: int) -> int:
    """Return a pseudorandom number for the place of a child: unvisited siblings are entered from the highest down."""
    parent = tree.nodes[child].parent
    return derive(node_seed(tree, parent), "order", tree.nodes[parent].children.index(child))


ENTRY = StrategyEntry(
    options=RstarConfig,
    build=Rstar,
    bound=bound,
    describe=lambda config: (
        f"{config.rollouts} rollouts x {config.candidates} candidates an action, {config.votes} votes"
    ),
    reward_model=Need.UNUSED,
    second_policy=True,
    budget_option="rollouts",
    rollouts=lambda config: config.rollouts,
    presets=PRESETS,
)
