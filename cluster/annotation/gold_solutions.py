"""Reference solutions for rules that set them against, or beside, what the policy wrote: from a file, or the curriculum's.

Knows where they come from; what is learnt from them is the rules' business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from cluster.config.method_config import MethodConfig
from search.data import Problem, Trajectory
from search.problems import curriculum
from train.data.loading import read_records


def references(method: MethodConfig, train: Iterable[Problem]) -> Mapping[str, Trajectory]:
    """Solutions by problem id: those in ``method.references``; without it the curriculum's, for a rule that needs some."""
    if method.references is not None:
        file = Path(method.references).expanduser()
        return {found.problem.id: found for found in read_records(Trajectory, [file])}
    if "references" not in method.source.needs:
        return {}
    return {problem.id: curriculum.worked(problem) for problem in train if curriculum.of_curriculum(problem)}
