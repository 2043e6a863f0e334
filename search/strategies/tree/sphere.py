"""SPHERE's search (arXiv 2503.04813): of the steps drawn at a node only the best and the worst go on, down to answers.

    generate    from the question: Sol_max and Sol_min, the solutions of highest and of lowest reward
    with a grader, where these are not a right and a wrong one already:
    correct     for each that is wrong the same search again, from the question with the attempt and a call to reflect
    diversify   where both are right the second, smaller policy searches for wrong ones, with twice the candidates

Every branch begins at the root: its solutions stand on their own, whatever the model was told. Knows scores and
branches; what is learnt from them is train's business. Grades decide which branches there are, never how one grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from statistics import fmean
from time import monotonic

from search.config import SearchConfig
from search.core.expansion import ExpansionConfig, count_failure, expand_all
from search.core.stopping import add_elapsed, budget_exhausted, grade_terminals
from search.core.values import back_up, terminal_value
from search.data import Problem
from search.errors import UserError
from search.prompts import reflection
from search.protocols import SearchServices
from search.strategies.tree.prompted_policy import PromptedPolicy
from search.tree import ROOT, Tree

NO_SOLUTION = "no_solution"  # branches that came to no answer


class Branch(StrEnum):
    """What a part of the tree was grown for: the ``action`` of the steps it begins with."""

    GENERATE = "generate"
    CORRECT_MAX = "correct_max"  # after a wrong Sol_max
    CORRECT_MIN = "correct_min"  # after a wrong Sol_min
    DIVERSIFY = "diversify"


@dataclass(frozen=True, slots=True)
class Sphere:
    """The strategy "sphere"; the paper's settings are the preset "sphere".

    ``candidates`` is E. Both children that are kept at a node go on, so nodes would double at each depth: of those that
    are open at a depth ``beam_width`` go on, half of them the best and half the worst. A branch thus costs at most
    ``max_depth * beam_width`` expansions, and a tree has three branches at most. Without a grader there is the first
    only. Its answer is Sol_max's. ``budget_tokens`` is looked at before each depth; ``rollouts`` has no meaning.
    """

    config: SearchConfig

    async def search(self, problem: Problem, tools: SearchServices, seed: int) -> Tree:
        """Grow one tree. Raises UserError without a reward model, and whatever the tools raise."""
        if tools.reward_model is None:
            raise UserError("strategy 'sphere' keeps the best and the worst step by reward: it needs a reward model")
        tree, began = Tree(problem, strategy="sphere", seed=seed), monotonic()
        await grow(tree, Branch.GENERATE, self.config, tools)
        first = extremes(tree, Branch.GENERATE)
        tree.answer = None if first is None else tree.nodes[first[0]].answer
        if first is not None and tools.grader is not None:
            await go_on(tree, *first, self.config, tools)
        for index, node in enumerate(tree.nodes):
            if node.answer is not None or (node.expanded and not tree.alive(index)):
                back_up(tree, index, terminal_value(node))
        return add_elapsed(tree, began)


async def go_on(tree: Tree, best: int, worst: int, config: SearchConfig, tools: SearchServices) -> None:
    """The branches that follow from how Sol_max and Sol_min ended; none where one is right and the other wrong."""
    if not tree.nodes[best].correct:
        await correct(tree, Branch.CORRECT_MAX, best, config, tools)
        if worst != best and not tree.nodes[worst].correct:
            await correct(tree, Branch.CORRECT_MIN, worst, config, tools)
    elif tree.nodes[worst].correct and tools.second is not None:
        wider = config.model_copy(update={"candidates": 2 * config.candidates})
        smaller = PromptedPolicy(tools.second, Branch.DIVERSIFY)
        await grow(tree, Branch.DIVERSIFY, wider, replace(tools, policy=smaller))


async def correct(tree: Tree, branch: Branch, end: int, config: SearchConfig, tools: SearchServices) -> None:
    """The search again, by a policy that is shown its attempt, or just drawn from anew where it follows no instructions."""
    asking = PromptedPolicy(tools.policy, branch)
    if config.instructions:
        attempt = "".join(segment.text for segment in tools.format.segments(tree.state(end))[1:])
        asking = replace(asking, reword=partial(reflection, attempt=attempt))
    await grow(tree, branch, config, replace(tools, policy=asking))


async def grow(tree: Tree, branch: Branch, config: SearchConfig, tools: SearchServices) -> None:
    """One branch, graded when it is done where there is a grader."""
    growth, unseeing, begin = ExpansionConfig.of(config), replace(tools, grader=None), len(tree.nodes)
    going_on = [ROOT]
    while going_on and not budget_exhausted(tree, config):
        before = len(tree.nodes)
        drawn = await expand_all(tree, going_on, growth, unseeing)
        for node in tree.nodes[before:]:
            node.action = branch.value if node.parent == ROOT else ""
        kept = [i for alive in drawn for i in best_and_worst(tree, [i for i in alive if i >= before])]
        going_on = narrow(tree, [i for i in kept if not tree.nodes[i].terminal], config.beam_width)
    grade_terminals(tree, tools.grader, begin)
    if extremes(tree, branch) is None:
        count_failure(tree, NO_SOLUTION)


def best_and_worst(tree: Tree, children: Sequence[int]) -> list[int]:
    """The children of highest and of lowest R, the first and the last of equals; one where there is one."""
    ranked = sorted(children, key=lambda i: -progress(tree, i))
    return [*ranked[:1], *ranked[1:][-1:]]


def narrow(tree: Tree, nodes: Sequence[int], width: int) -> list[int]:
    """At most ``width`` nodes: half of them those of highest path reward, the odd one too, half those of lowest.

    Rewards 0.9, 0.5, 0.1, -0.3 to three places → 0.9, 0.5, -0.3.
    """
    ranked = sorted(nodes, key=lambda i: -path_reward(tree, i))
    if len(ranked) <= width:
        return ranked
    return ranked[: width - width // 2] + ranked[len(ranked) - width // 2 :]


def extremes(tree: Tree, branch: Branch) -> tuple[int, int] | None:
    """Sol_max and Sol_min of a branch: the ends of highest and lowest path reward among those that were kept, not
    pruned away. None without one; the same node twice where there is but one."""
    kept = [i for i in tree.terminals() if tree.nodes[tree.path(i)[0]].action == branch and _kept(tree, i)]
    if not kept:
        return None
    ranked = sorted(kept, key=lambda i: -path_reward(tree, i))
    return ranked[0], ranked[-1]


def _kept(tree: Tree, index: int) -> bool:
    node = tree.nodes[index]
    return index in best_and_worst(tree, [i for i in tree.alive(node.parent) if tree.nodes[i].action == node.action])


def progress(tree: Tree, index: int) -> float:
    """R of a step: its process reward and what it gained on the step before, ``r_t + (r_t - r_{t-1})``; the first ``r_0``.

    Our reading of SPHERE's reward with advantage, which is one of probabilities p. Here r = 2 * p - 1, with which R
    becomes 2 * R - 1: the order is the same.
    r 0.5 after 0.2 → 0.8; 0.5 after 0.9 → 0.1.
    """
    node = tree.nodes[index]
    reward, parent = node.score or 0.0, tree.nodes[node.parent]
    return reward if node.parent == ROOT else 2 * reward - (parent.score or 0.0)


def path_reward(tree: Tree, index: int) -> float:
    """Mean R of the steps down to a node."""
    return fmean(progress(tree, i) for i in tree.path(index))
