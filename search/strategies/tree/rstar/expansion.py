"""The tree of one search, whose nodes are expanded by rStar's actions (arXiv 2408.06195, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from search.concurrency import gather_or_cancel
from search.core.completion import UNLIMITED, add_chain
from search.core.expansion import ExpansionConfig, attach_children, count_failure, node_seed, propose_children
from search.data import State, StepStatus
from search.protocols import SearchServices
from search.seeds import derive
from search.strategies.tree.prompted_policy import PromptedPolicy
from search.strategies.tree.rstar.actions import Action, actions_to, permitted, subquestion_of
from search.strategies.tree.rstar.config import RstarConfig
from search.strategies.tree.rstar.prompts import request_for, step_prefix
from search.strategies.tree.rstar.votes import AnswerCounts, Majority, majority, merge_equal, reward, vote_on_rest
from search.tree import Node, Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTree:
    """The tree of one search, which actions expand. ``answers``: those that A2 drew, by the node that it continued."""

    tree: Tree
    config: RstarConfig
    services: SearchServices
    answers: dict[int, AnswerCounts] = field(default_factory=dict)

    def reward(self, end: int) -> float:
        """Return the reward of an end (votes.py)."""
        return reward(self.tree, end, self.answers, self.config.unvoted_ends == "share")

    async def expand(self, index: int) -> None:
        """Give a node its children: those of every permitted action, in the order of the grammar.

        A program that has run only needs its answer stated: that is no action.
        """
        tree, config, services = self.tree, self.config, self.services
        expansion = replace(config.expansion(), max_depth=UNLIMITED)
        if services.format.concluding(tree.state(index)):
            attach_children(tree, index, await propose_children(tree, index, expansion, services))
            return
        actions = permitted(actions_to(tree, index), config.actions, config.max_actions, config.complete_last)
        if not actions:
            count_failure(tree, StepStatus.TOO_DEEP)
        drawn = await gather_or_cancel(self.draw(index, action, expansion) for action in actions)
        for action, children in zip(actions, drawn, strict=True):
            self.attach(index, action, children)
        tree.nodes[index].draws = 1

    async def draw(self, index: int, action: Action, expansion: ExpansionConfig) -> list[Node] | Majority:
        """Return what an action makes of a node's state; not yet in the tree."""
        tree, config, state = self.tree, self.config, self.tree.state(index)
        if action is Action.AGAIN:
            head, state = subquestion_of(state.steps[-1].text), State(tree.problem, state.steps[:-1])
        else:
            head = step_prefix(action, self.services.format, len(state.steps) + 1, config.instructions)
        prompted = self._prompted(action, head)
        if config.instructions:
            state = replace(state, request=request_for(action, len(state.steps)))
        match action:
            case Action.REST:
                return await vote_on_rest(
                    tree,
                    state,
                    votes=config.votes,
                    sampling=config.solution_sampling(),
                    seed=derive(node_seed(tree, index), action),
                    answer_tokens=config.max_step_tokens,
                    services=prompted,
                )
            case Action.SUBQUESTION:
                children = await propose_children(tree, index, expansion, prompted, after=state)
                children = await self._answer_subquestions(index, children, state, expansion)
            case Action.AGAIN:
                draws = votes_of(expansion, config.sub_votes if head else 1)
                children = await propose_children(tree, index, draws, prompted, after=state)
                children = [majority(children)] if head and children else children[:1]
            case _:
                count = config.candidates if action is Action.STEP else 1
                steps = replace(expansion, candidates=count)
                children = await propose_children(tree, index, steps, prompted, after=state)
        for node in children:
            node.action, node.replaces_parent = action.value, action is Action.AGAIN
        return [node for node in children if config.keep_failed or not node.is_failed]

    async def _answer_subquestions(
        self, index: int, children: Sequence[Node], state: State, expansion: ExpansionConfig
    ) -> list[Node]:
        """Return the steps of A3, each with the majority's answer to its sub-question.

        A step that shows no sub-question, or that has failed, stays as it was drawn, without votes.
        """

        async def answer(place: int, child: Node) -> Node:
            head = subquestion_of(child.step.text) if child.step is not None else ""
            if child.is_failed or not head:
                return child
            votes = self.config.sub_votes if child.answer is None else self.config.votes
            others: list[Node] = []
            if votes > child.multiplicity:
                draws = votes_of(expansion, votes - child.multiplicity)
                prompted = self._prompted(f"{Action.SUBQUESTION} {place}", head)
                others = await propose_children(self.tree, index, draws, prompted, after=state)
            return majority([child, *others])

        return merge_equal(await gather_or_cancel(answer(place, child) for place, child in enumerate(children)))

    def _prompted(self, key: str, head: str) -> SearchServices:
        return replace(self.services, policy=PromptedPolicy(self.services.policy, key, head=head))

    def attach(self, index: int, action: Action, children: list[Node] | Majority) -> None:
        """Add what an action drew. Of a chain only the end is open to a search: its other nodes have the one child."""
        tree = self.tree
        if not isinstance(children, Majority):
            attach_children(tree, index, children)
            return
        end = add_chain(tree, index, children.steps, children.tokens, children.agreeing, action.value)
        tree.nodes[end].votes = children.answers.drawn
        self.answers[index] = children.answers
        for i in tree.path(end)[:-1]:
            tree.nodes[i].draws = 1


def votes_of(expansion: ExpansionConfig, count: int) -> ExpansionConfig:
    """Return the options of an expansion that draws votes: those that failed or came after the first answer count too."""
    return replace(expansion, candidates=count, keep_failed=True, finish_first=False)
