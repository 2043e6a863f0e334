"""What a search asks of the world: a policy, a reward model, an executor and a grader, each behind one narrow protocol.

Knows none of their implementations. The actors implement them over Ray; tests implement them in ten lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from search.data import Problem, Proposal, Sampling, Scores, State, Step
from search.formats.registry import StepFormat
from search.tree import Tree


class Policy(Protocol):
    """Writes candidate continuations of a state."""

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        """Draw ``n`` candidates. The same arguments and weights give the same candidates."""
        ...


class RewardModel(Protocol):
    """Judges states."""

    async def score(self, states: Sequence[State]) -> Scores:
        """One raw reward logit a state (not squashed), all finite."""
        ...


class Executor(Protocol):
    """Runs model-written code."""

    async def run(self, state: State, steps: Sequence[Step]) -> list[Step]:
        """Run the code of each step after the code of ``state.steps``, side by side; they come back in their order, with
        outcome, output and status.

        Never raises for what the code does: that is an outcome.
        """
        ...


class Grader(Protocol):
    """Compares an answer with the reference. The only one that may read ``Problem.answer``."""

    def grade(self, problem: Problem, answer: str | None) -> bool: ...


@dataclass(frozen=True, slots=True)
class SearchServices:
    """What a strategy works with. ``reward_model`` and ``grader`` are None where a search must do without.

    ``second`` is another policy: the discriminator of "rstar", the smaller model of "sphere".
    """

    policy: Policy
    executor: Executor
    format: StepFormat
    reward_model: RewardModel | None = None
    grader: Grader | None = None
    second: Policy | None = None


class SearchStrategy(Protocol):
    """Grows one tree for one problem."""

    async def search(self, problem: Problem, tools: SearchServices, seed: int) -> Tree: ...
