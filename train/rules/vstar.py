"""V-STaR (arXiv 2402.06457): correct solutions train the policy, correct over incorrect ones the reward model.

The paper calls the reward model a verifier. It is trained by DPO from and against the SFT model (the config says so:
``method.reward_model.start: sft``), and its score of a solution is the solution's likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import Field

from train.record_files import PAIRS, TRAJECTORIES
from train.rules.base import (
    POLICY,
    REWARD_MODEL,
    Harvest,
    HarvestRule,
    RuleInputs,
    RuleOptions,
    TreeSize,
    bound_by_solutions,
    training_set,
)
from train.rules.solutions import (
    collect_solutions,
    count_problems,
    to_pair,
    to_trajectory,
    why_no_pair,
    why_no_trajectory,
)
from train.rules.writing import writer_of

Item = TypeVar("Item")


class VStarOptions(RuleOptions):
    """How much V-STaR keeps."""

    max_solutions: int | None = Field(None, ge=1, description="vstar: correct solutions kept a problem; none: all")
    max_pairs: int | None = Field(
        None, ge=1, description="vstar: pairs kept a problem; none: every correct solution over every incorrect one"
    )


def harvest(inputs: RuleInputs, options: VStarOptions) -> Harvest:
    """Keep every correct solution, and pair every correct with every incorrect one of its problem (section 3)."""
    collected = collect_solutions(inputs.trees)
    kept = [
        to_trajectory(solutions.problem, solution)
        for solutions in collected
        for solution in solutions.correct[: options.max_solutions]
    ]
    pairs = [
        to_pair(solutions.problem, correct, incorrect)
        for solutions in collected
        for correct, incorrect in cross_pairs(solutions.correct, solutions.incorrect)[: options.max_pairs]
    ]
    counts = count_problems(collected)
    training_sets = {
        TRAJECTORIES: training_set(kept, why_no_trajectory(counts)),
        PAIRS: training_set(pairs, why_no_pair(counts)),
    }
    return Harvest(training_sets, {**counts, "trajectories": len(kept), "pairs": len(pairs)})


def cross_pairs(correct: Sequence[Item], incorrect: Sequence[Item]) -> list[tuple[Item, Item]]:
    """Pair every correct item with every incorrect one, in an order in which the first pairs differ on both sides.

    Correct a, b and incorrect x, y, z → ax, by, ay, bz, az, bx.
    """
    return [
        (item, incorrect[(index + shift) % len(incorrect)])
        for shift in range(len(incorrect))
        for index, item in enumerate(correct)
    ]


def _bound(options: VStarOptions, trees: Sequence[TreeSize]) -> dict[str, int]:
    """Return the most records of one problem."""
    records = bound_by_solutions(options, trees)
    return {TRAJECTORIES: options.max_solutions or records[TRAJECTORIES], PAIRS: options.max_pairs or records[PAIRS]}


RULE = HarvestRule(
    name="vstar",
    write=writer_of(harvest),
    files={POLICY: (TRAJECTORIES,), REWARD_MODEL: (PAIRS,)},
    options=VStarOptions,
    reads_history=True,
    bound=_bound,
)
