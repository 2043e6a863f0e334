"""Options that strategies share which grow a tree step by step, and those which do so by UCT rollouts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from search.config import SearchConfig
from search.core.expansion import ExpansionConfig
from search.strategies.entry import Bound


class TreeConfig(SearchConfig):
    """Options of an expansion."""

    candidates: int = Field(4, ge=1, description="steps drawn at each new node")
    keep_failed: bool = Field(True, description="keep candidates whose code failed as leaves of value -1")
    finish_first: bool = Field(
        False, description="the first candidate with an answer drops the other candidates of its expansion"
    )

    def expansion(self) -> ExpansionConfig:
        """Return what one expansion needs of these options."""
        return ExpansionConfig(
            candidates=self.candidates,
            sampling=self.step_sampling(),
            max_depth=self.max_depth,
            solution_tokens=self.max_solution_tokens,
            squash_scale=self.squash_scale,
            keep_failed=self.keep_failed,
            finish_first=self.finish_first,
        )

    def bound(self, expansions: int) -> Bound:
        """Return upper bounds for ``expansions``; a solution in prose may overrun them by its step at ``max_depth``."""
        return Bound(expansions, expansions * self.candidates * self.max_step_tokens)


class RolloutConfig(TreeConfig):
    """Options of UCT rollouts."""

    rollouts: int = Field(8, ge=1, description="root-to-leaf passes a tree")
    parallel_rollouts: int = Field(
        1,
        ge=1,
        description="concurrent rollouts of one tree (WU-UCT); above 1 the tree depends on which engine answers first",
    )
    exploration: float = Field(2.0, ge=0, description="c in Q + c * sqrt(ln N(parent) / N)")
    unvisited_value: Literal["inf", "zero"] = Field(
        "inf",
        description="UCT score of an unvisited child without a reward: it goes first, or counts as value 0, bonus 0",
    )
