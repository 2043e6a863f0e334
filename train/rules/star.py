"""STaR (arXiv 2203.14465): imitate correct solutions, and try failed problems again with the answer given away.

Two searches draw the samples: one of the bare problems, one of problems with ``add_hint``. The model that learns is the
base model, not the one that drew: the config says so (``method.policy.start``).
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from search.data import Problem
from search.formats.requests import hint_request
from train.record_files import TRAJECTORIES
from train.rules.base import POLICY, Harvest, HarvestRule, RuleInput, RuleInputs, RuleOptions, training_set
from train.rules.solutions import collect_solutions, count_problems, to_trajectory, why_no_trajectory
from train.rules.writing import writer_of


class StarOptions(RuleOptions):
    """How much STaR keeps."""

    max_solutions: int | None = Field(None, ge=1, description="star: correct solutions kept a problem; none: all")


def add_hint(problem: Problem) -> Problem:
    """Return the problem with its answer as a hint, for rationalisation. Never search it where accuracy counts."""
    return replace(problem, request=hint_request(problem.answer))


def harvest(inputs: RuleInputs, options: StarOptions) -> Harvest:
    """Keep the correct solutions of each problem; of a problem that has none, those that were correct with the hint.

    A rationalised solution is kept as one of the bare question, as if nobody had given the answer (section 3.2).
    """
    collected = collect_solutions(inputs.trees)
    hinted = {solutions.problem.id: solutions.correct for solutions in collect_solutions(inputs.hinted_trees)}
    unaided = [
        to_trajectory(solutions.problem, solution)
        for solutions in collected
        for solution in solutions.correct[: options.max_solutions]
    ]
    rationalised = [
        to_trajectory(solutions.problem, solution)
        for solutions in collected
        if not solutions.correct
        for solution in hinted.get(solutions.problem.id, ())[: options.max_solutions]
    ]
    counts = count_problems(collected)
    tally = {
        **counts,
        "trajectories": len(unaided) + len(rationalised),
        "rationalised": len(rationalised),
        "hinted_problems": len(hinted),
    }
    reason = f"{why_no_trajectory(counts)}, and none of {len(hinted)} hinted problems was solved that failed before"
    return Harvest({TRAJECTORIES: training_set([*unaided, *rationalised], reason)}, tally)


RULE = HarvestRule(
    name="star",
    write=writer_of(harvest),
    files={POLICY: (TRAJECTORIES,)},
    options=StarOptions,
    needs=frozenset({RuleInput.HINTED_TREES}),
    bound=lambda options, trees: {TRAJECTORIES: options.max_solutions or sum(tree.solutions for tree in trees)},
)
