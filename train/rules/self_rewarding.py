"""Self-rewarding (arXiv 2401.10020, section 2): pair the best with the worst solution by the policy's own marks."""

from __future__ import annotations

from statistics import fmean

from search.data import Problem
from train.record_files import PAIRS
from train.rules.base import POLICY, Harvest, HarvestRule, NoOptions, RuleInput, RuleInputs
from train.rules.best_over_worst import best_over_worst
from train.rules.solutions import Solution, collect_solutions
from train.rules.writing import writer_of


def harvest(inputs: RuleInputs, options: NoOptions) -> Harvest:
    """Make one pair a problem from the mean of each solution's marks (paper: three, of 0 to 5 points). Ties are dropped.

    Marks of one solution in several records make one mean. 5, 4 and one that could not be read → 4.5.
    """
    marks: dict[tuple[str, str], list[float]] = {}
    for solution_marks in inputs.marks:
        marks.setdefault((solution_marks.problem_id, solution_marks.text), []).extend(solution_marks.marks)
    means = {key: fmean(values) for key, values in marks.items() if values}

    def mean_mark(problem: Problem, solution: Solution) -> float | None:
        return means.get((problem.id, solution.text))

    return best_over_worst(collect_solutions(inputs.trees), mean_mark, "mark")


RULE = HarvestRule(
    name="self_rewarding",
    write=writer_of(harvest),
    files={POLICY: (PAIRS,)},
    needs=frozenset({RuleInput.MARKS}),
)
