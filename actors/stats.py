"""What a search worker has in hand and has done so far, in a few numbers that its driver adds up. Knows no engine."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from search.serialization import fast_pickle


@dataclass(slots=True)
class PoolStats:
    """What a pool got from its engines since it was made: answers, what they hold, and prompts as the engines read them.

    ``made`` counts generated tokens of a policy, judged states of a reward_model.
    """

    answers: int = 0
    made: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0


@fast_pickle
@dataclass(frozen=True, slots=True)
class WorkerStats:
    """One worker, or several added up, in one moment of a search.

    ``growing`` trees are under way. ``expansions`` to ``executions`` count what was done since the search began, in trees
    that are not finished, too. The rest is in hand: sequences at policy engines and states at reward models, those that wait for
    room there, and programs at executors.
    """

    growing: int = 0
    expansions: int = 0
    generated_tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    scored: int = 0
    reward_model_tokens: int = 0
    reward_model_cached: int = 0
    executions: int = 0
    policy_busy: int = 0
    policy_waiting: int = 0
    reward_model_busy: int = 0
    reward_model_waiting: int = 0
    programs: int = 0

    def __add__(self, other: WorkerStats) -> WorkerStats:
        return WorkerStats(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))
