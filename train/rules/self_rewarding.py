"""Self-rewarding (arXiv 2401.10020, section 2): pair the best with the worst solution by the policy's own marks."""

from __future__ import annotations

from statistics import fmean

from pydantic import Field

from search.data import Problem
from search.formats.judge_prompts import JUDGE_PROMPTS
from train.record_files import PAIRS
from train.rules.base import POLICY, Harvest, HarvestRule, RuleInput, RuleInputs, RuleOptions
from train.rules.best_over_worst import best_over_worst
from train.rules.solutions import Solution, collect_solutions
from train.rules.writing import writer_of

DEFAULT_PROMPT = "mathematics"


class SelfRewardingOptions(RuleOptions):
    """How the policy is asked to mark its solutions."""

    prompt: str = Field(
        DEFAULT_PROMPT,
        description=f"self_rewarding: what the policy marks solutions by, from 0 to 5 points: {', '.join(JUDGE_PROMPTS)} "
        "(the paper's criteria), or a text file that asks for a line 'Score: <points>'",
    )


def harvest(inputs: RuleInputs, options: SelfRewardingOptions) -> Harvest:
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
    options=SelfRewardingOptions,
    needs=frozenset({RuleInput.MARKS}),
    bound=lambda options, trees: {PAIRS: 1},
)
