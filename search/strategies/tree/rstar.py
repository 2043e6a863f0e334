"""rStar (arXiv 2408.06195): tree search over five actions whose reward is how much the answers of the tree agree.

    rollouts   those of mcts.py; a node is expanded by every action that may follow  (rstar_actions.py, prompts.py)
               back up the confidence of the answer at the end, 0 without one
    then       a second policy completes the solutions that rollouts ended in       (mutual_consistency.py)
               the answer is that of the best solution on which both agree
    last       grades, where there is a grader: nothing depends on them any more

Never sees a reference answer while it searches. Knows what each action draws; the rest stands in the files named.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

from search.concurrency import gather_or_cancel
from search.config import SearchConfig
from search.core.completion import UNLIMITED, add_chain, complete, whole
from search.core.expansion import ExpansionConfig, attach_children, count_failure, node_seed, propose_children
from search.core.inflight import InflightRollouts
from search.core.stopping import add_elapsed, grade_terminals
from search.data import Problem, State, Step, StepStatus
from search.prompts import REQUESTS, beginning, request
from search.protocols import SearchServices
from search.seeds import derive
from search.strategies.tree.mcts import run_rollouts
from search.strategies.tree.mutual_consistency import conclude, confidence
from search.strategies.tree.prompted_policy import PromptedPolicy, unchanged
from search.strategies.tree.rstar_actions import Action, asked_by, permitted, taken
from search.tree import Node, Tree

SEVERAL = (Action.STEP, Action.SUBQUESTION)  # actions with more than one child a node


@dataclass(frozen=True, slots=True)
class Rest:
    """What A2 draws: the remaining steps, and the tokens they took."""

    steps: tuple[Step, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class Rstar:
    """The strategy "rstar"; the paper's settings are the preset "rstar" (MATH: ``max_actions`` 8).

    ``candidates`` is the number of children by A1 and by A3, the other actions have one; a path has at most
    ``max_actions`` actions, of however many steps.
    With ``instructions`` an action is a request put to the policy, without them a way of drawing. ``tools.second`` is the
    discriminator; without one the best solution answers unchecked. A reward model is not asked. ``budget_tokens`` is looked at
    between rollouts, as "mcts" does, and once more before the discriminator is asked.
    """

    config: SearchConfig

    async def search(self, problem: Problem, tools: SearchServices, seed: int) -> Tree:
        """Grow one tree. Raises whatever the tools raise; a failing step is no exception but a node."""
        tree, began = Tree(problem, strategy="rstar", seed=seed), monotonic()
        unseeing = replace(tools, reward_model=None, grader=None)
        expand_at = partial(expand, tree, config=self.config, tools=unseeing)
        await run_rollouts(
            tree, self.config, InflightRollouts(), expand_at, lambda end: confidence(tree, tree.nodes[end].answer)
        )
        tree.answer = await conclude(tree, self.config, unseeing)
        grade_terminals(tree, tools.grader)
        return add_elapsed(tree, began)


async def expand(tree: Tree, index: int, config: SearchConfig, tools: SearchServices) -> None:
    """Give a node its children: those of every permitted action, in the order of the grammar.

    A program that has run only needs its answer stated: that is no action.
    """
    growth = replace(ExpansionConfig.of(config), max_depth=UNLIMITED)
    if tools.format.concluding(tree.state(index)):
        attach_children(tree, index, await propose_children(tree, index, growth, tools))
        return
    actions = permitted(taken(tree, index), config.actions, config.max_actions)
    if not actions:
        count_failure(tree, StepStatus.TOO_DEEP)
    drawn = await gather_or_cancel(draw(tree, index, action, growth, config, tools) for action in actions)
    for action, children in zip(actions, drawn, strict=True):
        plant(tree, index, action, children)
    tree.nodes[index].draws = 1


async def draw(
    tree: Tree, index: int, action: Action, growth: ExpansionConfig, config: SearchConfig, tools: SearchServices
) -> list[Node] | Rest:
    """What an action makes of a node's state; not yet in the tree."""
    state, head = tree.state(index), ""
    if action is Action.AGAIN:
        head, state = asked_by(state.steps[-1].text), State(tree.problem, state.steps[:-1])
    else:
        head = beginning(action, tools.format.name, len(state.steps) + 1, config.instructions)
    reword = partial(request, words=REQUESTS[action]) if config.instructions else unchanged
    asking = replace(tools, policy=PromptedPolicy(tools.policy, action, reword, head))
    if action is Action.REST:
        seed = derive(node_seed(tree, index), action)
        return Rest(*await complete(tree, state, whole(config), seed, config.max_step_tokens, asking))
    many = growth.candidates if action in SEVERAL else 1
    children = await propose_children(tree, index, replace(growth, candidates=many), asking, after=state)
    for node in children:
        node.action, node.instead = action.value, action is Action.AGAIN
    return children


def plant(tree: Tree, index: int, action: Action, children: list[Node] | Rest) -> None:
    """Add what an action drew. Of a chain only the end is open to a search: its other nodes have the one child."""
    if isinstance(children, Rest):
        end = add_chain(tree, index, children.steps, children.tokens, action=action.value)
        for i in tree.path(end)[:-1]:
            tree.nodes[i].draws = 1
    else:
        attach_children(tree, index, children)
