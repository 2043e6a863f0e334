"""Read gold solutions for rules that learn from them, or pair them with the policy's: from a file or the curriculum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from cluster.config.method_config import MethodConfig
from search.data import Problem, Trajectory
from search.problems import curriculum
from train.data.records import read_records
from train.rules.base import RuleInput


def gold_solutions(method: MethodConfig, train: Iterable[Problem]) -> Mapping[str, Trajectory]:
    """Return solutions by problem id: those in ``method.references``, else the curriculum's if the rule needs some."""
    if method.references is not None:
        file = Path(method.references).expanduser()
        return {solution.problem.id: solution for solution in read_records(Trajectory, [file])}
    if RuleInput.REFERENCES not in method.harvest_rule.needs:
        return {}
    return {
        problem.id: curriculum.worked_trajectory(problem) for problem in train if curriculum.is_from_curriculum(problem)
    }
