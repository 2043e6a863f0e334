"""Self-rewarding (arXiv 2401.10020, section 2): best over worst by the model's own marks. Knows the rule, no judge."""

from __future__ import annotations

from statistics import fmean

from train.rules.base import Harvest, RuleInputs
from train.rules.config import RulesConfig
from train.rules.extremes import best_over_worst
from train.rules.solutions import Attempts, Solution, attempts


def self_rewarding(material: RuleInputs, config: RulesConfig) -> Harvest:
    """One pair a problem, from the mean of each solution's marks (paper: three, of 0 to 5 points); ties are dropped.

    Marks of one solution in several records add up to one mean. 5, 4 and none readable → 4.5.
    """
    given: dict[tuple[str, str], list[float]] = {}
    for marked in material.marked:
        given.setdefault((marked.problem_id, marked.text), []).extend(marked.marks)
    means = {key: fmean(marks) for key, marks in given.items() if marks}

    def score(own: Attempts, found: Solution) -> float | None:
        return means.get((own.problem.id, found.text))

    return best_over_worst(attempts(material.trees), score, "mark")
