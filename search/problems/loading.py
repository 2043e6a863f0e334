"""Load the problem sets of a run, decontaminated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from search.data import Problem
from search.errors import UserError
from search.problems.config import CURRICULUM, DEFAULT_SPLIT, ProblemsConfig, ProblemSetConfig
from search.problems.decontaminate import DecontaminationResult, Overlap, decontaminate
from search.problems.hub import Unreachable
from search.problems.sources.base import LoadedProblems
from search.problems.sources.registry import load_problems


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemSets:
    """The problem sets of a run.

    Attributes:
        dropped: by set, the problems left out because a set that is only measured contains them.
        skipped: by set, the number of rows left out.
        readings: by set, one line that says which fields were read and what was left out; empty for the curriculum.
        selections: by set of which not all problems were taken, how many were and why.
        unreachable: by evaluation set that was left out because it cannot be reached, why.
    """

    train: tuple[Problem, ...]
    validation: tuple[Problem, ...]
    evaluation: Mapping[str, tuple[Problem, ...]]
    dropped: Mapping[str, tuple[Overlap, ...]] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    readings: Mapping[str, str] = field(default_factory=dict)
    selections: Mapping[str, str] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)


Measured = tuple[ProblemSetConfig, tuple[Problem, ...]]


def load_problem_sets(config: ProblemsConfig) -> ProblemSets:
    """Return all sets of a run, decontaminated.

    Validation loses the problems that an evaluation set contains; training loses those that either contains. UserError if
    a source is bad, cannot be reached, or nothing is left of a set.
    """
    train, validation = _load("train", config.train), _load("validation", config.validation)
    evaluation, unreachable = _load_evaluation(config)
    measured = [(config.evaluation[name], loaded.problems) for name, loaded in evaluation.items()]
    clean_validation = _clean(config, config.validation, validation.problems, measured)
    measured.append((config.validation, clean_validation.kept))
    clean_train = _clean(config, config.train, train.problems, measured)
    for name, clean in (("train", clean_train), ("validation", clean_validation)):
        if not clean.kept:
            raise UserError(f"problems.{name}: all {len(clean.dropped)} problems occur in a set that is only measured")
    loaded_sets = {"train": train, "validation": validation} | {
        f"evaluation.{name}": loaded for name, loaded in evaluation.items()
    }
    return ProblemSets(
        train=clean_train.kept,
        validation=clean_validation.kept,
        evaluation={name: loaded.problems for name, loaded in evaluation.items()},
        dropped={"train": clean_train.dropped, "validation": clean_validation.dropped},
        skipped={name: loaded.skipped for name, loaded in loaded_sets.items()},
        readings={
            name: loaded.collected.describe() for name, loaded in loaded_sets.items() if loaded.source != CURRICULUM
        },
        selections={name: loaded.selection for name, loaded in loaded_sets.items() if loaded.selection},
        unreachable=unreachable,
    )


def _load(field_name: str, config: ProblemSetConfig) -> LoadedProblems:
    try:
        return load_problems(config)
    except Unreachable as error:
        raise Unreachable(f"problems.{field_name}: {error}") from error


def _load_evaluation(config: ProblemsConfig) -> tuple[dict[str, LoadedProblems], dict[str, str]]:
    """Return the evaluation sets, and why others cannot be reached, if the config allows that."""
    evaluation: dict[str, LoadedProblems] = {}
    unreachable: dict[str, str] = {}
    for name, set_config in config.evaluation.items():
        try:
            evaluation[name] = _load(f"evaluation.{name}", set_config)
        except Unreachable as error:
            if not config.allow_unreachable_evaluation:
                raise Unreachable(
                    f"{error}, or leave the set out by --problems.allow_unreachable_evaluation=true"
                ) from error
            unreachable[name] = str(error)
    return evaluation, unreachable


def _clean(
    config: ProblemsConfig, set_config: ProblemSetConfig, problems: Iterable[Problem], measured: Iterable[Measured]
) -> DecontaminationResult:
    """Drop the problems that a measured set repeats. Sets that share none by construction are not compared."""
    compared = [problem for other, repeated in measured if not are_disjoint(set_config, other) for problem in repeated]
    return decontaminate(problems, compared, config.overlap_ngram, config.overlap_threshold)


def are_disjoint(first: ProblemSetConfig, second: ProblemSetConfig) -> bool:
    """Return whether both are splits of the curriculum, which share no chain of sentences and none of numbers."""
    splits = {first.split or DEFAULT_SPLIT, second.split or DEFAULT_SPLIT}
    return first.name == second.name == CURRICULUM and len(splits) == 2
