"""Expert iteration: imitate the correct ones of many samples."""

from __future__ import annotations

from pydantic import Field

from train.record_files import TRAJECTORIES
from train.rules.base import POLICY, Harvest, HarvestRule, RuleInputs, RuleOptions, training_set
from train.rules.solutions import collect_solutions, count_problems, to_trajectory, why_no_trajectory
from train.rules.writing import writer_of


class ExpertIterationOptions(RuleOptions):
    """How much expert iteration keeps."""

    max_solutions: int | None = Field(
        None, ge=1, description="expert_iteration: correct solutions kept a problem; none: all"
    )


def harvest(inputs: RuleInputs, options: ExpertIterationOptions) -> Harvest:
    """Keep every different correct solution, the first ``max_solutions`` of each problem."""
    collected = collect_solutions(inputs.trees)
    kept = [
        to_trajectory(solutions.problem, solution)
        for solutions in collected
        for solution in solutions.correct[: options.max_solutions]
    ]
    correct, counts = sum(len(solutions.correct) for solutions in collected), count_problems(collected)
    return Harvest(
        {TRAJECTORIES: training_set(kept, why_no_trajectory(counts))},
        {**counts, "trajectories": len(kept), "beyond_max_solutions": correct - len(kept)},
    )


RULE = HarvestRule(
    name="expert_iteration",
    write=writer_of(harvest),
    files={POLICY: (TRAJECTORIES,)},
    options=ExpertIterationOptions,
    bound=lambda options, trees: {TRAJECTORIES: options.max_solutions or sum(tree.solutions for tree in trees)},
)
