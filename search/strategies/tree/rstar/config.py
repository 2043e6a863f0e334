"""Options of the strategy "rstar", what they cost at most, and their values in the paper and in the released code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from search.strategies.entry import Bound
from search.strategies.tree.options import RolloutConfig
from search.strategies.tree.rstar.actions import Action


class ConsistencyConfig(RolloutConfig):
    """Options of the check by the second policy, and of the choice after it."""

    checks: int = Field(
        4, ge=1, description="completions by the second policy of each solution, each cut at another place"
    )
    least_shown: float = Field(
        0.2, gt=0, lt=1, description="share of a solution's steps that the first of them is shown"
    )
    most_shown: float = Field(
        0.8, gt=0, lt=1, description="share that the last of them is shown; a single one is shown a share at random"
    )
    check_temperature: float = Field(1.0, ge=0, description="of the second policy; 0 is greedy")
    agreement: Literal["majority", "half"] = Field(
        "majority",
        description="a solution survives if its answer is that of most completions, or that of at least half of them",
    )
    final_choice: Literal["trajectory", "answer"] = Field(
        "trajectory",
        description="of the surviving solutions that rollouts reached that of highest mean Q times reward; or, of all "
        "solutions in the tree, the answer with most reward among survivors plus the share that survived",
    )

    @model_validator(mode="after")
    def _check_shares(self) -> ConsistencyConfig:
        if self.least_shown > self.most_shown:
            raise ValueError(f"least_shown {self.least_shown} is above most_shown {self.most_shown}")
        return self


class RstarConfig(ConsistencyConfig):
    """Options of the strategy "rstar"."""

    strategy: Literal["rstar"] = Field("rstar", description="which strategy grows the tree")
    candidates: int = Field(4, ge=1, description="steps drawn at each new node, by each of A1 and A3")
    votes: int = Field(
        8,
        ge=1,
        description="draws of the remaining steps by A2 and of the answer to a last sub-question, the node being their "
        "majority (paper: 32); of 1 every answer has reward 1",
    )
    sub_votes: int = Field(4, ge=1, description="draws of the answer to another sub-question by A3 and A4 (paper: 10)")
    max_actions: int = Field(5, ge=2, description="longest path (actions), in place of max_depth (paper: 5, on MATH 8)")
    complete_last: bool = Field(
        True,
        description="the last action of max_actions is A2 alone, so that it ends in an answer; off, as in the released "
        "code: any action, and a path without an answer has reward 0",
    )
    actions: tuple[Action, ...] = Field(
        tuple(Action),
        min_length=1,
        description="which of the actions there are; only A2 can end a solution at max_actions for certain",
    )
    unvoted_ends: Literal["share", "zero"] = Field(
        "share",
        description="reward of an answer that A1 states: its share of the votes that A2 drew beside it, or 0 as in the "
        "released code",
    )
    instructions: bool = Field(
        False,
        description="put actions to the policy in words; off: for a model that follows no instructions they are ways of "
        "drawing",
    )


def bound(config: RstarConfig) -> Bound:
    """Add up what the permitted actions take, A4 or A5 but never both; the second policy checks every candidate.

    The answer after a program takes one more request; of A2 one for each vote.
    """
    step, solution = config.max_step_tokens, config.max_solution_tokens + config.max_step_tokens
    answers = max(config.votes, config.sub_votes)
    each = {
        Action.STEP: Bound(1, config.candidates * step),
        Action.REST: Bound(1 + config.votes, config.votes * solution),
        Action.SUBQUESTION: Bound(1 + config.candidates, config.candidates * answers * step),
        Action.AGAIN: Bound(1, config.sub_votes * step),
        Action.REPHRASE: Bound(1, step),
    }
    counted = [
        action for action in config.actions if action is not Action.REPHRASE or Action.AGAIN not in config.actions
    ]
    expansions = config.rollouts * config.max_actions
    ends = config.rollouts
    if config.final_choice == "answer":
        ends = expansions * (2 * config.candidates + 2)
    second = ends * config.checks * solution
    requests = (
        expansions * sum(each[action].requests for action in counted) + config.rollouts + 2 * ends * config.checks
    )
    tokens = expansions * sum(each[action].tokens for action in counted) + config.rollouts * step + second
    return Bound(requests, tokens, second)


# Section 4.1 and the released code (github.com/microsoft/rStar, rStar-mutualreasoning). How often a solution is cut, and at
# what temperature, stands in the code only (run_src/do_discriminate.py); the paper says: between 20 and 80 % of the steps.
_PAPER = {
    "candidates": 5,
    "rollouts": 32,
    "max_actions": 5,
    "exploration": 2.0,
    "unvisited_value": "inf",
    "votes": 32,
    "sub_votes": 10,
    "complete_last": True,
    "unvoted_ends": "share",
    "checks": 4,
    "least_shown": 0.2,
    "most_shown": 0.8,
    "check_temperature": 1.0,
    "agreement": "majority",
    "final_choice": "trajectory",
}
_RELEASED = _PAPER | {
    "candidates": 3,  # num_a1_steps, num_subquestions: run_src/do_generate.py
    "rollouts": 16,  # scripts/run_gsm8k_generator.sh
    "temperature": 0.8,  # this and the next two: common/arguments.py
    "top_k": 40,
    "top_p": 0.95,
    "max_step_tokens": 512,  # of a sub-answer; steps of A1 256: run_src/MCTS_for_reasoning.py
    "max_solution_tokens": 1024,
    "complete_last": False,
    "unvoted_ends": "zero",  # calculate_reward: an A1 step is no valid leaf
    "most_shown": 0.5,  # mask_right_boundary
    "agreement": "half",  # rc_mode "mid"
    "final_choice": "answer",  # _calculate_scores
}
PRESETS: Mapping[str, Mapping[str, Any]] = {"rstar": _PAPER, "rstar_released": _RELEASED}
