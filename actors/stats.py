"""What a search worker has in hand and has done so far, in a few numbers that its driver adds up. Knows no engine."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from search.serialization import travels


@dataclass(slots=True)
class Meter:
    """What a pool got from its engines since it was made: answers, what they hold, and prompts as the engines read them.

    ``made`` counts generated tokens of a policy, judged states of a scorer.
    """

    answers: int = 0
    made: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0


@travels
@dataclass(frozen=True, slots=True)
class Pulse:
    """One worker, or several added up, in one moment of a search.

    ``growing`` trees are under way. ``expansions`` to ``executions`` count what was done since the search began, in trees
    that are not finished, too. The rest is in hand: sequences at policy engines and states at scorers, those that wait for
    room there, and programs at executors.
    """

    growing: int = 0
    expansions: int = 0
    generated_tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    scored: int = 0
    scorer_tokens: int = 0
    scorer_cached: int = 0
    executions: int = 0
    policy_busy: int = 0
    policy_waiting: int = 0
    scorer_busy: int = 0
    scorer_waiting: int = 0
    programs: int = 0

    def __add__(self, other: Pulse) -> Pulse:
        return Pulse(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))
