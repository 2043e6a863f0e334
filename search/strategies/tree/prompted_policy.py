"""A policy behind another prompt: the question reworded, a step begun for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from search.data import Proposal, Sampling, State, Step
from search.protocols import Policy
from search.seeds import derive


def unchanged(question: str) -> str:
    return question


@dataclass(frozen=True, slots=True)
class PromptedPolicy:
    """``policy`` behind its own protocol. Its candidates continue the caller's state, not the reworded one.

    Attributes:
        key: separates the draws from those of other prompts with the same seed.
        reword: makes the question that is put to the policy.
        head: begins the next step; candidates come back with it.
    """

    policy: Policy
    key: str
    reword: Callable[[str], str] = unchanged
    head: str = ""

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        prompted = State(replace(state.problem, question=self.reword(state.problem.question)), state.steps)
        if self.head:
            prompted = prompted.then(Step(self.head))
        proposal = await self.policy.propose(prompted, n, sampling, derive(seed, self.key))
        drawn = tuple(replace(candidate, text=self.head + candidate.text) for candidate in proposal.candidates)
        return replace(proposal, candidates=drawn)
