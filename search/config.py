"""What a search may be told. Knows names, units and bounds; strategies.py turns it into a strategy."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from search.data import Sampling
from search.evaluation.voting import Aggregation
from search.strategies.tree.rstar_actions import Action

# "paper" and "released": where the paper (section 3.2 and appendix) and the released code of rStar-Math differ. "rstar":
# arXiv 2408.06195, section 4.1. "sphere": arXiv 2503.04813.
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {"candidates": 8, "rollouts": 16, "unvisited": "first", "keep_failed": False, "finish_first": False},
    "released": {"candidates": 12, "rollouts": 48, "unvisited": "zero", "keep_failed": True, "finish_first": True},
    "rstar": {"strategy": "rstar", "candidates": 5, "rollouts": 32, "max_actions": 5, "exploration": 2.0},
    "sphere": {"strategy": "sphere", "candidates": 5, "temperature": 0.8},
}

Strategy = Literal["mcts", "samples", "best_of", "beam", "dvts", "rstar", "sphere", "every_step", "first_error"]
LABELLING = ("every_step", "first_error")  # strategies for training problems only: their labels come from the answer
INDEPENDENT = ("samples", "best_of", *LABELLING)  # those whose solutions do not depend on each other


class SearchConfig(BaseModel):
    """One search. ``preset`` fills in what is not given here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    strategy: Strategy = Field("mcts", description="which strategy grows the tree")
    preset: Literal["paper", "released", "rstar", "sphere"] | None = Field(
        None, description="a paper's settings to start from; paper and released: rStar-Math's"
    )
    rollouts: int = Field(
        8, ge=1, description="MCTS, rstar: root-to-leaf passes a tree; dvts: subtrees, one such pass each"
    )
    parallel_rollouts: int = Field(
        1,
        ge=1,
        description="MCTS, rstar: rollouts of one tree under way at once; from 2 on the tree depends on who answers first",
    )
    candidates: int = Field(
        4,
        ge=1,
        description="steps drawn at each new node, by each of rstar's A1 and A3; samples, best_of: solutions drawn; "
        "every_step, first_error: completions of a prefix",
    )
    solutions: int = Field(4, ge=1, description="every_step, first_error: solutions drawn, whose steps are labelled")
    widen: float | None = Field(
        None,
        gt=0,
        le=1,
        description="MCTS: draw again, with a new seed, at a node that was drawn from fewer than visits ** widen times; "
        "none: once",
    )
    beam_width: int = Field(4, ge=1, description="beam: solutions kept at each depth; sphere: nodes expanded there")
    exploration: float = Field(2.0, ge=0, description="MCTS, rstar: c in Q + c * sqrt(ln N(parent) / N)")
    max_depth: int = Field(16, ge=2, description="longest path, in steps; rstar looks at max_actions instead")
    max_actions: int = Field(5, ge=2, description="rstar: longest path, in actions (paper: 5, on MATH 8)")
    actions: tuple[Action, ...] = Field(
        tuple(Action),
        min_length=1,
        description="rstar: which of its actions there are; only A2 can end a solution at max_actions for certain",
    )
    instructions: bool = Field(
        False,
        description="rstar, sphere: put actions and the call to reflect to the policy in words; off: for a model that "
        "follows none they are ways of drawing",
    )
    unvisited: Literal["first", "zero"] = Field(
        "first",
        description="MCTS, rstar: an unvisited child without a score goes first, or counts as value 0 and bonus 0",
    )
    keep_failed: bool = Field(True, description="keep candidates whose code failed as leaves of value -1")
    finish_first: bool = Field(
        False, description="the first candidate with an answer drops the other candidates of its expansion"
    )
    temperature: float = Field(1.0, ge=0, description="of the policy; 0 is greedy")
    top_p: float = Field(1.0, gt=0, le=1, description="nucleus of the policy; 1 is off")
    top_k: int = Field(0, ge=0, description="most likely tokens kept; 0 is off")
    max_step_tokens: int = Field(192, ge=4, description="longest step (tokens)")
    max_solution_tokens: int = Field(
        768, ge=8, description="samples, best_of, rstar: longest stretch without a pause (tokens)"
    )
    squash_scale: float = Field(1.0, gt=0, description="value of a state = tanh(logit / this); released code: 5")
    answer_by: Literal["best", "weighted", "posterior"] = Field(
        "best",
        description="the answer of a tree: of the best-scored solution, by score-weighted vote, or by one of "
        "its strength under the reward model times the policy's share of its path",
    )
    aggregate: Aggregation = Field(
        Aggregation.LAST,
        description="one score from the rewards of a solution's steps, for answers and for what beam and dvts keep; "
        "product: of (1 + reward) / 2",
    )
    budget_tokens: int | None = Field(
        None, ge=1, description="begin nothing new in a tree after so many generated tokens; see the strategy"
    )
    enough_right: int = Field(
        0, ge=0, description="MCTS, beam, dvts: stop a graded tree with so many right solutions …; 0 is off"
    )
    enough_wrong: int = Field(0, ge=0, description="… and so many wrong ones")
    enough_score: float | None = Field(
        None,
        gt=-1,
        lt=1,
        description="MCTS, beam, dvts: stop an ungraded tree with a solution of this value; what it leaves of a budget is saved",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("preset") in PRESETS:
            return {**PRESETS[given["preset"]], **given}
        return given

    def sampling(self) -> Sampling:
        """How steps are drawn."""
        return Sampling(self.temperature, self.top_p, self.top_k, self.max_step_tokens)
