"""Load the problem sets of a run, decontaminated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from search.data import Problem
from search.errors import UserError
from search.problems.config import ProblemsConfig
from search.problems.decontaminate import Overlap, decontaminate
from search.problems.sources.registry import load_problems


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemSets:
    """The problem sets of a run.

    ``dropped``: by set, the problems left out because a set that is only measured contains them. ``skipped``: by set,
    the number of bad rows.
    """

    train: tuple[Problem, ...]
    validation: tuple[Problem, ...]
    evaluation: Mapping[str, tuple[Problem, ...]]
    dropped: Mapping[str, tuple[Overlap, ...]] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)


def load_problem_sets(config: ProblemsConfig) -> ProblemSets:
    """Return all sets of a run, decontaminated.

    Validation loses the problems that an evaluation set contains; training loses those that either contains. UserError if
    a source is bad or nothing is left of a set.
    """
    train, validation = load_problems(config.train), load_problems(config.validation)
    evaluation = {name: load_problems(set_config) for name, set_config in config.evaluation.items()}
    measured = [problem for loaded in evaluation.values() for problem in loaded.problems]
    limits = (config.overlap_ngram, config.overlap_threshold)
    clean_validation = decontaminate(validation.problems, measured, *limits)
    clean_train = decontaminate(train.problems, [*measured, *clean_validation.kept], *limits)
    for name, clean in (("train", clean_train), ("validation", clean_validation)):
        if not clean.kept:
            raise UserError(f"problems.{name}: all {len(clean.dropped)} problems occur in a set that is only measured")
    skipped = {"train": train.skipped, "validation": validation.skipped}
    return ProblemSets(
        train=clean_train.kept,
        validation=clean_validation.kept,
        evaluation={name: loaded.problems for name, loaded in evaluation.items()},
        dropped={"train": clean_train.dropped, "validation": clean_validation.dropped},
        skipped=skipped | {f"evaluation.{name}": loaded.skipped for name, loaded in evaluation.items()},
    )
