"""A finished solution to label, and the lengths of the prefixes that were completed for it."""

from __future__ import annotations

from search.data import State, Step, StepStatus
from search.protocols import SearchServices
from search.strategies.labelling.monte_carlo_labels import PrefixCompletions
from search.strategies.registry import search_config
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM

CONFIG = search_config(strategy="sampling", candidates=8)


def graded(policy: ScriptedPolicy) -> SearchServices:
    return word_services(policy, graded=True)


def completions(policy: ScriptedPolicy, count: int = 8, seed: int = 1) -> PrefixCompletions:
    return PrefixCompletions(CONFIG, count, graded(policy), seed)


def solution(steps: int, answer: str = "8") -> State:
    """Return a finished solution of so many steps."""
    before = tuple(Step(f"s{i}\n\n") for i in range(1, steps))
    return State(PROBLEM, (*before, Step(f"\\boxed{{{answer}}}", status=StepStatus.FINAL, answer=answer)))


def prefix_lengths(policy: ScriptedPolicy) -> list[int]:
    """Return the lengths of the prefixes of the policy's requests, in order."""
    return [len(request.state.steps) for request in policy.requests]


def seeds(policy: ScriptedPolicy) -> dict[int, int]:
    """Return the seed of the request for each length of prefix."""
    return {len(request.state.steps): request.seed for request in policy.requests}
