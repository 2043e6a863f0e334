"""A scripted reward model: the one ``score`` of the tests. A state's logit comes from a function of the state."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from search.data import Scores, State
from search.seeds import derive
from tests.fakes.policy import wait
from tests.fakes.words import words

LogitFn = Callable[[State], float]


@dataclass
class ScriptedRewardModel:
    """A reward model that gives each state the logit ``logit(state)``.

    A request has ``tokens`` prompt tokens for each state, of which one is cached.

    Delays: with ``delays`` an answer takes a random number of turns of the event loop, otherwise none. A silent one
    (``is_silent``) never answers.
    Records: ``requests`` in the order of arrival, and ``max_active``, the most that were in flight at once.
    """

    logit: LogitFn
    delays: random.Random | None = None
    is_silent: bool = False
    tokens: int = 7
    requests: list[tuple[State, ...]] = field(default_factory=list)
    active: int = 0
    max_active: int = 0

    async def score(self, states: Sequence[State]) -> Scores:
        self.requests.append(tuple(states))
        self.active += 1
        self.max_active = max(self.max_active, self.active)
        try:
            await wait(self.delays)
            if self.is_silent:
                await asyncio.Event().wait()
        finally:
            self.active -= 1
        logits = tuple(self.logit(state) for state in states)
        return Scores(logits, prompt_tokens=self.tokens * len(states), cached_tokens=len(states))


def word_rewards(rewards: Mapping[str, float]) -> LogitFn:
    """Return a function to the logit that squashes, at scale 1, to the reward of a state's last word; 0 without one."""
    return lambda state: math.atanh(rewards.get(words(state)[-1], 0.0))


def code_logits(logits: Mapping[str, float]) -> LogitFn:
    """Return a function to the logit of the last step's code; 0 for anything else."""
    return lambda state: logits.get(state.steps[-1].code, 0.0)


def step_count(state: State) -> float:
    """Return the number of a state's steps as its logit."""
    return float(len(state.steps))


def hashed_logit(state: State) -> float:
    """Return a logit between -2 and 2 that depends on the texts of the steps."""
    return derive(5, *(step.text for step in state.steps)) % 4001 / 1000 - 2


def refuse_state(state: State) -> float:
    """Fail: for searches that must not call the reward model."""
    raise AssertionError(f"the reward model was called with {words(state)}")
