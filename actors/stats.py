"""Count what engine pools and search workers do; the driver adds the counts up."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Counts = TypeVar("Counts", bound="DataclassInstance")


def add_fields(first: Counts, second: Counts) -> Counts:
    """Return a record whose every field is the sum of that field in both records."""
    sums = {field.name: getattr(first, field.name) + getattr(second, field.name) for field in fields(first)}
    return type(first)(**sums)


@dataclass(slots=True, kw_only=True)
class PoolStats:
    """Totals of one engine pool since it was made; ``responses`` is a number of requests.

    ``outputs`` are generated tokens of a policy, or scored states of a reward model.
    """

    responses: int = 0
    outputs: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0

    def __add__(self, other: PoolStats) -> PoolStats:
        return add_fields(self, other)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStats:
    """The heartbeat of a search worker, or the sum over several workers, during one search.

    ``active_trees`` are being grown now, and ``active_rollouts`` are done in them, as far as their strategy counts
    rollouts. ``tokens_left`` is a guess of the tokens that these trees will still generate, ``longest_tokens_left`` that
    of the tree with the most; the sum of two workers has the larger. ``expansions`` to ``executions`` are totals since
    the search began, unfinished trees included. The rest is in flight now: sequences at policy engines and states at
    reward models, those that wait for room there, and programs at executors.
    """

    active_trees: int = 0
    active_rollouts: int = 0
    tokens_left: int = 0
    longest_tokens_left: int = 0
    expansions: int = 0
    generated_tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    scored_states: int = 0
    reward_model_prompt_tokens: int = 0
    reward_model_cached_tokens: int = 0
    executions: int = 0
    policy_inflight: int = 0
    policy_waiting: int = 0
    reward_model_inflight: int = 0
    reward_model_waiting: int = 0
    inflight_programs: int = 0

    def __add__(self, other: WorkerStats) -> WorkerStats:
        longest = max(self.longest_tokens_left, other.longest_tokens_left)
        return replace(add_fields(self, other), longest_tokens_left=longest)
