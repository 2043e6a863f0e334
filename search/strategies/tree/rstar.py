"""rStar (arXiv 2408.06195): tree search over five actions whose reward is how much the answers of the tree agree.

    rollouts   those of uct.py; a node is expanded by every permitted action      (rstar_actions.py, rstar_prompts.py)
               back up the confidence of the answer at the end, 0 without one
    then       a second policy completes the solutions that rollouts ended in     (mutual_consistency.py)
               the answer is that of the best solution on which both agree
    last       grade the ends, where there is a grader: nothing depends on it any more

The search never sees a reference answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Literal

from pydantic import Field

from search.concurrency import gather_or_cancel
from search.core.completion import UNLIMITED, add_chain, complete_solution
from search.core.expansion import ExpansionConfig, attach_children, count_failure, node_seed, propose_children
from search.core.stopping import add_elapsed, await_grades
from search.data import Problem, State, Step, StepStatus
from search.protocols import SearchServices
from search.seeds import derive
from search.strategies.entry import Bound, Need, StrategyEntry
from search.strategies.tree.mutual_consistency import choose_answer, confidence
from search.strategies.tree.options import RolloutConfig
from search.strategies.tree.prompted_policy import PromptedPolicy
from search.strategies.tree.rstar_actions import Action, actions_to, permitted, subquestion_of
from search.strategies.tree.rstar_prompts import request_for, step_prefix
from search.strategies.tree.uct import run_rollouts
from search.tree import Node, Tree

WITH_SEVERAL_CHILDREN = (Action.STEP, Action.SUBQUESTION)


class RstarConfig(RolloutConfig):
    """Options of the strategy "rstar"."""

    strategy: Literal["rstar"] = Field("rstar", description="which strategy grows the tree")
    candidates: int = Field(4, ge=1, description="steps drawn at each new node, by each of A1 and A3")
    max_actions: int = Field(5, ge=2, description="longest path (actions), in place of max_depth (paper: 5, on MATH 8)")
    actions: tuple[Action, ...] = Field(
        tuple(Action),
        min_length=1,
        description="which of the actions there are; only A2 can end a solution at max_actions for certain",
    )
    instructions: bool = Field(
        False,
        description="put actions to the policy in words; off: for a model that follows no instructions they are ways of "
        "drawing",
    )


@dataclass(frozen=True, slots=True)
class RemainingSteps:
    """What A2 draws: the remaining steps, and the tokens they took."""

    steps: tuple[Step, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class Rstar:
    """The strategy "rstar"; the paper's settings are the preset "rstar" (MATH: ``max_actions`` 8).

    ``candidates`` is the number of children by A1 and by A3, the other actions have one; a path has at most
    ``max_actions`` actions, of however many steps.
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
        await run_rollouts(
            tree,
            self.config,
            partial(expand_by_actions, tree, config=self.config, services=blind),
            lambda end: confidence(tree, tree.nodes[end].answer),
        )
        tree.answer = await choose_answer(tree, self.config, blind)
        await await_grades(tree, services.grader)
        return add_elapsed(tree, started)


async def expand_by_actions(tree: Tree, index: int, config: RstarConfig, services: SearchServices) -> None:
    """Give a node its children: those of every permitted action, in the order of the grammar.

    A program that has run only needs its answer stated: that is no action.
    """
    expansion = replace(config.expansion(), max_depth=UNLIMITED)
    if services.format.concluding(tree.state(index)):
        attach_children(tree, index, await propose_children(tree, index, expansion, services))
        return
    actions = permitted(actions_to(tree, index), config.actions, config.max_actions)
    if not actions:
        count_failure(tree, StepStatus.TOO_DEEP)
    drawn = await gather_or_cancel(draw(tree, index, action, expansion, config, services) for action in actions)
    for action, children in zip(actions, drawn, strict=True):
        attach(tree, index, action, children)
    tree.nodes[index].draws = 1


async def draw(
    tree: Tree, index: int, action: Action, expansion: ExpansionConfig, config: RstarConfig, services: SearchServices
) -> list[Node] | RemainingSteps:
    """Return what an action makes of a node's state; not yet in the tree."""
    state = tree.state(index)
    if action is Action.AGAIN:
        head, state = subquestion_of(state.steps[-1].text), State(tree.problem, state.steps[:-1])
    else:
        head = step_prefix(action, services.format, len(state.steps) + 1, config.instructions)
    prompted = replace(services, policy=PromptedPolicy(services.policy, action, head=head))
    if config.instructions:
        state = replace(state, request=request_for(action, len(state.steps)))
    if action is Action.REST:
        seed = derive(node_seed(tree, index), action)
        sampling = config.solution_sampling()
        return RemainingSteps(*await complete_solution(tree, state, sampling, seed, config.max_step_tokens, prompted))
    candidates = expansion.candidates if action in WITH_SEVERAL_CHILDREN else 1
    expansion = replace(expansion, candidates=candidates)
    children = await propose_children(tree, index, expansion, prompted, after=state)
    for node in children:
        node.action, node.replaces_parent = action.value, action is Action.AGAIN
    return children


def attach(tree: Tree, index: int, action: Action, children: list[Node] | RemainingSteps) -> None:
    """Add what an action drew. Of a chain only the end is open to a search: its other nodes have the one child."""
    if isinstance(children, RemainingSteps):
        end = add_chain(tree, index, children.steps, children.tokens, action=action.value)
        for i in tree.path(end)[:-1]:
            tree.nodes[i].draws = 1
    else:
        attach_children(tree, index, children)


def _bound(config: RstarConfig) -> Bound:
    """At most four actions are permitted at once: A1 and A3 with ``candidates`` steps, one more step, a rest by A2.

    The discriminator completes every solution that a rollout ended in.
    """
    expansions = config.rollouts * config.max_actions
    solution = config.max_solution_tokens + config.max_step_tokens
    tokens = expansions * ((2 * config.candidates + 1) * config.max_step_tokens + solution) + config.rollouts * solution
    return Bound(5 * expansions + 2 * config.rollouts, tokens)


ENTRY = StrategyEntry(
    options=RstarConfig,
    build=Rstar,
    bound=_bound,
    describe=lambda config: f"{config.rollouts} rollouts x {config.candidates} candidates an action",
    reward_model=Need.UNUSED,
    second_policy=True,
    budget_option="rollouts",
    rollouts=lambda config: config.rollouts,
    presets={"rstar": {"candidates": 5, "rollouts": 32, "max_actions": 5, "exploration": 2.0}},  # section 4.1
)
