"""Protocols of the services that a search calls: policy, reward model, executor and grader.

The ``actors`` package implements them on Ray; tests implement them in ten lines each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from search.data import Candidate, Problem, Proposal, Sampling, Scores, State, Step
from search.formats.base import StepFormat
from search.tokens import Vocabulary
from search.tree import Tree


class Policy(Protocol):
    """A language model that proposes continuations of a state."""

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        """Draw ``n`` candidates. The same arguments and weights give the same candidates."""
        ...


class RewardModel(Protocol):
    """A model that scores states."""

    async def score(self, states: Sequence[State]) -> Scores:
        """Return one raw reward logit per state (not squashed), all finite."""
        ...


class Executor(Protocol):
    """A sandbox that runs model-written code."""

    async def run(self, state: State, steps: Sequence[Step]) -> list[Step]:
        """Run each step's code after the code of ``state.steps``; return the steps with outcome, output and status.

        The steps are alternatives: none sees another's effects. Failing code is an outcome and never raises.
        """
        ...


class Grader(Protocol):
    """Compares answers with the reference. Nothing else in a search reads ``Problem.answer``."""

    def grade(self, problem: Problem, answer: str | None) -> bool:
        """Return whether ``answer`` equals the reference answer; False for None."""
        ...


SECOND_POLICY = "second_policy"  # role of ``SearchServices.second_policy``
FURTHER_POLICY = "policy_"  # roles of ``SearchServices.policies`` begin with it


def policy_role(place: int) -> str:
    """Return the role of a search's policy: "policy" for the first (0), then "policy_2", "policy_3" and so on."""
    return "policy" if place == 0 else f"{FURTHER_POLICY}{place + 1}"


def ignore_tree(tree: Tree) -> None:
    """Do nothing with a tree that begins to grow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchServices:
    """The services that a strategy may call.

    Without ``reward_model`` steps have no scores; without ``grader`` solutions have no grades. ``second_policy`` is the
    discriminator of the strategy "rstar" and the smaller model of "sphere". ``policies`` draw steps beside ``policy``, for
    strategies that choose among several. ``on_start`` is called with the empty tree by strategies whose trees are watched
    while they grow (``StrategyEntry.rollouts``). ``vocabularies`` are those of all policies, by their digests: steps keep
    the ids that a policy drew.
    """

    policy: Policy
    executor: Executor
    format: StepFormat
    reward_model: RewardModel | None = None
    grader: Grader | None = None
    second_policy: Policy | None = None
    policies: tuple[Policy, ...] = ()
    on_start: Callable[[Tree], None] = ignore_tree
    vocabularies: Mapping[str, Vocabulary] = field(default_factory=dict)

    @property
    def drawing_policies(self) -> dict[str, Policy]:
        """The policies that draw steps, by role: ``policy`` and ``policies``."""
        return {policy_role(place): policy for place, policy in enumerate((self.policy, *self.policies))}

    def keep_ids(self, steps: tuple[Step, ...], candidate: Candidate) -> tuple[Step, ...]:
        """Return steps parsed from a candidate with the ids that were drawn for them, where these say exactly their texts."""
        vocabulary = self.vocabularies.get(candidate.vocabulary)
        return steps if vocabulary is None else vocabulary.keep_ids(steps, candidate)


class SearchStrategy(Protocol):
    """A way to grow the search tree of a problem."""

    async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
        """Grow one tree. Raises what the services raise; a failing step is a node, not an exception."""
        ...
