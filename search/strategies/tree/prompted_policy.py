"""A policy behind another prompt: a request beside the question, a step begun for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search.data import Proposal, Request, Sampling, State, Step
from search.protocols import Policy
from search.seeds import derive


@dataclass(frozen=True, slots=True)
class PromptedPolicy:
    """``policy`` behind its own protocol. Its candidates continue the caller's state.

    Attributes:
        policy: draws the candidates.
        key: separates the draws from those of other prompts with the same seed.
        request: is put to the policy in place of the state's own.
        head: begins the next step; candidates come back with it.
    """

    policy: Policy
    key: str
    request: Request | None = None
    head: str = ""

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        prompted = State(state.problem, state.steps, self.request or state.request)
        if self.head:
            prompted = prompted.then(Step(self.head))
        proposal = await self.policy.propose(prompted, n, sampling, derive(seed, self.key))
        drawn = tuple(replace(candidate, text=self.head + candidate.text) for candidate in proposal.candidates)
        return replace(proposal, candidates=drawn)
