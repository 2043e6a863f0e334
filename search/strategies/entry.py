"""What the registry holds for a strategy: how to build it, its options, what it needs and what it costs at most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from search.config import SearchConfig
from search.formats.base import StepFormat
from search.protocols import SearchStrategy


class Need(StrEnum):
    """Whether a strategy works with something."""

    UNUSED = "unused"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Bound:
    """Upper bounds for one tree: requests to all policies, and tokens that they generate.

    ``second_tokens``: those among ``tokens`` that the second policy generates.
    """

    requests: int
    tokens: int
    second_tokens: int = 0


def accept_format(step_format: StepFormat) -> None:
    """Accept any step format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyEntry:
    """One strategy.

    Attributes:
        options: config class; the default of its field ``strategy`` is the strategy's name.
        build: makes the strategy from its options.
        bound: most requests and tokens that one tree takes; token budgets are left out of account.
        describe: the settings in a few words for a plan, such as "8 rollouts x 4 candidates".
        reward_model: whether a reward model is asked, and whether there is no search without one.
        second_policy: whether ``SearchServices.second_policy`` is asked where there is one.
        several_policies: whether ``SearchServices.policies`` draw steps too where there are any.
        needs_answers: works on training problems only, because it grades while it grows: step labelling.
        labelled: most solutions of a tree that labels are made for; None for strategies that make no labels.
        has_independent_samples: the solutions of a tree are independent samples.
        chooses_answer: the strategy chooses an answer; otherwise the reader of the tree does.
        budget_option: the option that spends a larger budget.
        rollouts: the rollouts of a tree, which its root's visits count; 0 from options with which they do not, None for a
            strategy without such a count.
        whole_solutions: draws whole solutions from the question only, never the continuation of a step.
        check_format: raises UserError for a step format that the strategy cannot work with.
        presets: settings by name, each a mapping of options.
    """

    options: type[SearchConfig]
    build: Callable[[Any], SearchStrategy]
    bound: Callable[[Any], Bound]
    describe: Callable[[Any], str]
    reward_model: Need = Need.OPTIONAL
    second_policy: bool = False
    several_policies: bool = False
    needs_answers: bool = False
    labelled: Callable[[Any], int] | None = None
    has_independent_samples: bool = False
    chooses_answer: bool = True
    budget_option: str = "candidates"
    rollouts: Callable[[Any], int] | None = None
    whole_solutions: bool = False
    check_format: Callable[[StepFormat], None] = accept_format
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.options.model_fields["strategy"].default)

    @property
    def reads_scores(self) -> bool:
        """Whether the answer depends on a reward model, if there is one."""
        return self.chooses_answer and self.reward_model is not Need.UNUSED

    @property
    def chooses_without_scores(self) -> bool:
        """Whether the answer never depends on a reward model."""
        return self.chooses_answer and self.reward_model is Need.UNUSED
