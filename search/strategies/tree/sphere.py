"""SPHERE's search (arXiv 2503.04813): of the steps drawn at a node only the best and the worst go on, down to answers.

    generate    from the question: Sol_max and Sol_min, the solutions of highest and of lowest reward
    with a grader, unless one of them is correct and the other is not:
    correct     for each incorrect one the same search again, from the question with the attempt and a call to reflect
    diversify   if both are correct the second, smaller policy searches for incorrect ones, with twice the candidates

Every branch begins at the root: its solutions do not depend on what the model was told. Grades decide which branches
there are, never how one grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import fmean
from time import monotonic
from typing import Literal

from pydantic import Field

from search.core.expansion import count_failure, expand_all
from search.core.stopping import add_elapsed, await_grades, budget_exhausted
from search.data import Problem
from search.errors import UserError
from search.formats.requests import reflection_request
from search.protocols import SearchServices
from search.strategies.entry import Bound, Need, StrategyEntry
from search.strategies.tree.beam import back_up_ends
from search.strategies.tree.options import TreeConfig
from search.strategies.tree.prompted_policy import PromptedPolicy
from search.tree import ROOT, Tree

NO_SOLUTION = "no_solution"  # branches that came to no answer


class Branch(StrEnum):
    """Purpose of a part of the tree: the ``action`` of the steps it begins with."""

    GENERATE = "generate"
    CORRECT_MAX = "correct_max"  # after an incorrect Sol_max
    CORRECT_MIN = "correct_min"  # after an incorrect Sol_min
    DIVERSIFY = "diversify"


class SphereConfig(TreeConfig):
    """Options of the strategy "sphere"."""

    strategy: Literal["sphere"] = Field("sphere", description="which strategy grows the tree")
    beam_width: int = Field(4, ge=1, description="nodes expanded at each depth")
    instructions: bool = Field(
        False,
        description="show the policy its failed attempt and call on it to reflect; off: for a model that follows no "
        "instructions it is just drawn from anew",
    )


@dataclass(frozen=True, slots=True)
class Sphere:
    """The strategy "sphere"; the paper's settings are the preset "sphere".

    ``candidates`` is E. Both children that are kept at a node go on, so nodes would double at each depth: of those that
    are open at a depth ``beam_width`` go on, half of them the best and half the worst. A branch thus costs at most
    ``max_depth * beam_width`` expansions, and a tree has three branches at most. Without a grader there is the first
    only. Its answer is Sol_max's. ``budget_tokens`` is checked before each depth.
    """

    config: SphereConfig

    async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
        """Grow one tree. Raises UserError without a reward model, and whatever the services raise."""
        if services.reward_model is None:
            raise UserError("strategy 'sphere' keeps the best and the worst step by reward: it needs a reward model")
        tree, started = Tree(problem, strategy="sphere", seed=seed), monotonic()
        await grow_branch(tree, Branch.GENERATE, self.config, services)
        solutions = extremes(tree, Branch.GENERATE)
        tree.answer = None if solutions is None else tree.nodes[solutions[0]].answer
        if solutions is not None and services.grader is not None:
            await grow_further_branches(tree, *solutions, self.config, services)
        back_up_ends(tree)
        return add_elapsed(tree, started)


async def grow_further_branches(
    tree: Tree, best: int, worst: int, config: SphereConfig, services: SearchServices
) -> None:
    """Grow the branches that follow from the grades of Sol_max and Sol_min; none if exactly one of them is correct."""
    if not tree.nodes[best].correct:
        await self_correct(tree, Branch.CORRECT_MAX, best, config, services)
        if worst != best and not tree.nodes[worst].correct:
            await self_correct(tree, Branch.CORRECT_MIN, worst, config, services)
    elif tree.nodes[worst].correct and services.second_policy is not None:
        wider = config.model_copy(update={"candidates": 2 * config.candidates})
        smaller = PromptedPolicy(services.second_policy, Branch.DIVERSIFY)
        await grow_branch(tree, Branch.DIVERSIFY, wider, replace(services, policy=smaller))


async def self_correct(tree: Tree, branch: Branch, end: int, config: SphereConfig, services: SearchServices) -> None:
    """Search again by a policy that is shown its attempt, or that is drawn from anew where it follows no instructions."""
    policy = PromptedPolicy(services.policy, branch)
    if config.instructions:
        policy = replace(policy, request=reflection_request(tree.steps(end)))
    await grow_branch(tree, branch, config, replace(services, policy=policy))


async def grow_branch(tree: Tree, branch: Branch, config: SphereConfig, services: SearchServices) -> None:
    """Grow one branch, and grade it when it is finished if there is a grader."""
    expansion, ungraded, first_node = config.expansion(), replace(services, grader=None), len(tree.nodes)
    frontier = [ROOT]
    while frontier and not budget_exhausted(tree, config):
        first_new = len(tree.nodes)
        alive = await expand_all(tree, frontier, expansion, ungraded)
        for node in tree.nodes[first_new:]:
            node.action = branch.value if node.parent == ROOT else ""
        kept = [i for children in alive for i in best_and_worst(tree, [i for i in children if i >= first_new])]
        frontier = narrow(tree, [i for i in kept if not tree.nodes[i].is_terminal], config.beam_width)
    await await_grades(tree, services.grader, first_node)
    if extremes(tree, branch) is None:
        count_failure(tree, NO_SOLUTION)


def best_and_worst(tree: Tree, children: Sequence[int]) -> list[int]:
    """Return the children of highest and of lowest R, the first and the last of equals; one where there is one."""
    ranked = sorted(children, key=lambda i: (-step_reward(tree, i), -step_logit(tree, i)))
    return [*ranked[:1], *ranked[1:][-1:]]


def narrow(tree: Tree, nodes: Sequence[int], width: int) -> list[int]:
    """Return at most ``width`` nodes: half of them (rounded up) of highest path reward, half of lowest.

    Rewards 0.9, 0.5, 0.1, -0.3 and width three → 0.9, 0.5, -0.3.
    """
    ranked = sorted(nodes, key=lambda i: path_order(tree, i))
    if len(ranked) <= width:
        return ranked
    return ranked[: width - width // 2] + ranked[len(ranked) - width // 2 :]


def extremes(tree: Tree, branch: Branch) -> tuple[int, int] | None:
    """Return Sol_max and Sol_min of a branch: the kept ends of highest and of lowest path reward.

    None without one; the same node twice where there is but one.
    """
    kept = [i for i in tree.terminals() if tree.nodes[tree.path(i)[0]].action == branch and _is_kept(tree, i)]
    if not kept:
        return None
    ranked = sorted(kept, key=lambda i: path_order(tree, i))
    return ranked[0], ranked[-1]


def _is_kept(tree: Tree, index: int) -> bool:
    node = tree.nodes[index]
    return index in best_and_worst(
        tree, [i for i in tree.live_children(node.parent) if tree.nodes[i].action == node.action]
    )


def step_reward(tree: Tree, index: int) -> float:
    """Return R of a step: its process reward and its gain on the step before, ``r_t + (r_t - r_{t-1})``; the first ``r_0``.

    Our reading of SPHERE's reward with advantage, which is one of probabilities p. Here r = 2 * p - 1, with which R
    becomes 2 * R - 1: the order is the same.
    r 0.5 after 0.2 → 0.8; 0.5 after 0.9 → 0.1.
    """
    node = tree.nodes[index]
    reward, parent = node.score or 0.0, tree.nodes[node.parent]
    return reward if node.parent == ROOT else 2 * reward - (parent.score or 0.0)


def path_reward(tree: Tree, index: int) -> float:
    """Return the mean R of the steps down to a node."""
    return fmean(step_reward(tree, i) for i in tree.path(index))


def step_logit(tree: Tree, index: int) -> float:
    """Return the logit of a step, 0 without one: it tells apart steps whose rewards are both 1.0."""
    return tree.nodes[index].logit or 0.0


def path_order(tree: Tree, index: int) -> tuple[float, float]:
    """Return a key that sorts paths by their reward, the highest first, and equal ones by their mean logit."""
    return -path_reward(tree, index), -fmean(step_logit(tree, i) for i in tree.path(index))


def _bound(config: SphereConfig) -> Bound:
    """Return the most of each policy: three branches of the first, one of the second with twice the candidates."""
    expansions = config.max_depth * config.beam_width
    second = config.bound(2 * expansions).tokens
    return Bound(3 * expansions, config.bound(3 * expansions).tokens + second, second)


ENTRY = StrategyEntry(
    options=SphereConfig,
    build=Sphere,
    bound=_bound,
    describe=lambda config: f"sphere of width {config.beam_width} x {config.candidates} candidates",
    reward_model=Need.REQUIRED,
    second_policy=True,
    budget_option="beam_width",
    presets={"sphere": {"candidates": 5, "temperature": 0.8}},
)
