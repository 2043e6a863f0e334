"""Choose at each node of AB-MCTS-A (arXiv 2503.04412): draw a new child (GEN), or go into one that is there (CONT).

Every choice is Thompson sampling: each arm draws a mean score from its posterior, the highest draw wins. ``TreeArms`` says
which scores update which arm.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce
from typing import TypeVar

from search.strategies.tree.ab_mcts.posteriors import Posterior

Key = TypeVar("Key")
Choice = str | int  # the name of the policy that draws a new child, or the index of the child to go into
ALL_POLICIES = ""  # the group of GEN and CONT where policies share them
UCB_EXPLORATION = math.sqrt(2)


class PolicyChoice(StrEnum):
    """How a new child's policy is chosen among several, as in the library treequest."""

    THOMPSON = "thompson"  # after GEN, by posteriors of all that each policy drew in the tree
    UCB = "ucb"  # after GEN, by the upper confidence bound of the same scores
    STACK = "stack"  # before GEN or CONT, by posteriors at the node; each policy has its own GEN, CONT and children


@dataclass(slots=True)
class Group:
    """The arms GEN and CONT of all policies, or of one."""

    gen: Posterior
    cont: Posterior


@dataclass(slots=True)
class NodeArms:
    """The arms at one node: groups and policies by name, children by index. ``choices`` counts those made here."""

    groups: dict[str, Group]
    policies: dict[str, Posterior]
    children: dict[int, Posterior] = field(default_factory=dict)
    choices: int = 0


@dataclass(slots=True, kw_only=True)
class TreeArms:
    """The arms at all nodes of a tree, and the scores of what each policy drew.

    A rollout with a score draws at some nodes and goes into children at the nodes above them. It updates

        GEN                      where it drew
        CONT                     where it went into a child
        the policy               of the child, at all these nodes; and the tree's scores of the policy that drew
        the child                that it went into or drew

    ``prior`` is every arm's. ``policies`` are the names of those that may draw.
    """

    prior: Posterior
    policies: tuple[str, ...]
    policy_choice: PolicyChoice = PolicyChoice.THOMPSON
    nodes: dict[int, NodeArms] = field(default_factory=dict)
    drawn: dict[str, list[float]] = field(default_factory=dict)

    def at(self, index: int) -> NodeArms:
        """Return the arms at a node, those of the prior where nothing has happened yet."""
        if index not in self.nodes:
            stacked = self.policy_choice is PolicyChoice.STACK
            names = self.policies if stacked else (ALL_POLICIES,)
            self.nodes[index] = NodeArms(
                groups={name: Group(self.prior, self.prior) for name in names},
                policies=dict.fromkeys(self.policies, self.prior),
            )
        return self.nodes[index]

    def choose(self, index: int, children: Mapping[int, str], rng: random.Random) -> Choice:
        """Return what a rollout does at a node. ``children``: those that it may go into, with the policies that drew them.

        Without such a child it draws; with ``stack``, without one by the chosen policy.
        """
        arms = self.at(index)
        if self.policy_choice is PolicyChoice.STACK:
            name = best_draw(arms.policies, rng)
            children = {child: policy for child, policy in children.items() if policy == name}
            group = arms.groups[name]
        else:
            name, group = "", arms.groups[ALL_POLICIES]
        if not children or best_draw({"gen": group.gen, "cont": group.cont}, rng) == "gen":
            return name or self._choose_policy(rng)
        return self.choose_child(index, tuple(children), rng)

    def choose_child(self, index: int, children: Sequence[int], rng: random.Random) -> int:
        """Return the child to go into."""
        arms = self.at(index)
        return best_draw({child: arms.children.get(child, self.prior) for child in children}, rng)

    def record_draw(self, index: int, policy: str, score: float) -> None:
        """Update GEN and the policy at a node where a rollout drew."""
        arms = self.at(index)
        group = arms.groups[policy if self.policy_choice is PolicyChoice.STACK else ALL_POLICIES]
        group.gen = group.gen.after(score)
        arms.policies[policy] = arms.policies[policy].after(score)

    def record_visit(self, index: int, policy: str, score: float) -> None:
        """Update CONT and the policy at a node where a rollout went into a child that ``policy`` had drawn."""
        arms = self.at(index)
        group = arms.groups[policy if self.policy_choice is PolicyChoice.STACK else ALL_POLICIES]
        group.cont = group.cont.after(score)
        arms.policies[policy] = arms.policies[policy].after(score)

    def record_child(self, index: int, child: int, score: float) -> None:
        """Update the arm of a node's child."""
        children = self.at(index).children
        children[child] = children.get(child, self.prior).after(score)

    def record_policy(self, policy: str, score: float) -> None:
        """Add a score to those of all that the policy drew in the tree."""
        self.drawn.setdefault(policy, []).append(score)

    def _choose_policy(self, rng: random.Random) -> str:
        if len(self.policies) == 1:
            return self.policies[0]
        scores = {policy: self.drawn.get(policy, []) for policy in self.policies}
        if self.policy_choice is PolicyChoice.UCB:
            bounds = upper_bounds(scores)
            return max(bounds, key=bounds.__getitem__)
        return best_draw({policy: after_all(self.prior, scores[policy]) for policy in scores}, rng)


def best_draw(posteriors: Mapping[Key, Posterior], rng: random.Random) -> Key:
    """Return the key of the posterior with the highest draw, of equals the first."""
    draws = {key: posterior.draw(rng) for key, posterior in posteriors.items()}
    return max(draws, key=draws.__getitem__)


def after_all(prior: Posterior, scores: Sequence[float]) -> Posterior:
    """Return the posterior after all scores."""
    return reduce(lambda posterior, score: posterior.after(score), scores, prior)


def upper_bounds(scores: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return mean + sqrt(2 * ln(draws of all) / draws) of each policy (UCB1), infinite for one that has not drawn.

    Scores 0.5 and 0.7 of one and 0.9 of another: 0.6 + sqrt(2 * ln 3 / 2) = 1.648 and 0.9 + sqrt(2 * ln 3) = 2.382.
    """
    total = sum(map(len, scores.values()))
    return {
        policy: sum(drawn) / len(drawn) + UCB_EXPLORATION * math.sqrt(math.log(total) / len(drawn))
        if drawn
        else math.inf
        for policy, drawn in scores.items()
    }
