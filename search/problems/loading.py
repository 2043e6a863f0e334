"""Load the problem sets of a run, decontaminated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from search.data import Problem
from search.errors import UserError
from search.problems.config import CURRICULUM, DEFAULT_SPLIT, ProblemsConfig, ProblemSetConfig
from search.problems.decontaminate import DecontaminationResult, Overlap, decontaminate
from search.problems.hub import REMEDY, Unreachable
from search.problems.rows import CollectedProblems
from search.problems.sources.base import LoadedProblems
from search.problems.sources.registry import load_problems


@dataclass(frozen=True, slots=True)
class PlannedSet:
    """A set that a dry run has not at hand: how many problems the config declares, and why it is not there."""

    problems: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemSets:
    """The problem sets of a run.

    Attributes:
        dropped: by set, the problems left out because a set that is only measured contains them.
        skipped: by set, the number of rows left out.
        readings: by set, one line that says which fields were read and what was left out; empty for the curriculum.
        selections: by set of which not all problems were taken, how many were and why.
        unreachable: by evaluation set that was left out because it cannot be reached, why.
        planned: by set that a dry run goes on without, how many problems it is planned by; such a set is empty here.
    """

    train: tuple[Problem, ...]
    validation: tuple[Problem, ...]
    evaluation: Mapping[str, tuple[Problem, ...]]
    dropped: Mapping[str, tuple[Overlap, ...]] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    readings: Mapping[str, str] = field(default_factory=dict)
    selections: Mapping[str, str] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)
    planned: Mapping[str, PlannedSet] = field(default_factory=dict)

    def size(self, name: str) -> int:
        """Return how many problems the set "train", "validation" or "evaluation.NAME" has, or is planned by."""
        if name in self.planned:
            return self.planned[name].problems
        sets = {"train": self.train, "validation": self.validation}
        return len(sets[name] if name in sets else self.evaluation[name.removeprefix(f"{EVALUATION}.")])


EVALUATION = "evaluation"  # before the name of an evaluation set: "evaluation.heldout"
Measured = tuple[ProblemSetConfig, tuple[Problem, ...]]


def load_problem_sets(config: ProblemsConfig, *, lazy: bool = False) -> ProblemSets:
    """Return all sets of a run, decontaminated.

    Validation loses the problems that an evaluation set contains; training loses those that either contains. UserError if
    a source is bad, cannot be reached, or nothing is left of a set. ``lazy``: a dry run, which goes on without a data set
    that cannot be reached and whose size the config declares.
    """
    planned: dict[str, PlannedSet] | None = {} if lazy else None
    train, validation = _load("train", config.train, planned), _load("validation", config.validation, planned)
    evaluation, unreachable = _load_evaluation(config, planned)
    measured = [(config.evaluation[name], loaded.problems) for name, loaded in evaluation.items()]
    clean_validation = _clean(config, config.validation, validation.problems, measured)
    measured.append((config.validation, clean_validation.kept))
    clean_train = _clean(config, config.train, train.problems, measured)
    for name, clean in (("train", clean_train), ("validation", clean_validation)):
        if not clean.kept and name not in (planned or ()):
            raise UserError(f"problems.{name}: all {len(clean.dropped)} problems occur in a set that is only measured")
    loaded_sets = {"train": train, "validation": validation} | {
        f"{EVALUATION}.{name}": loaded for name, loaded in evaluation.items()
    }
    return ProblemSets(
        train=clean_train.kept,
        validation=clean_validation.kept,
        evaluation={name: loaded.problems for name, loaded in evaluation.items()},
        dropped={"train": clean_train.dropped, "validation": clean_validation.dropped},
        skipped={name: loaded.skipped for name, loaded in loaded_sets.items()},
        readings={
            name: loaded.collected.describe()
            for name, loaded in loaded_sets.items()
            if loaded.source != CURRICULUM and name not in (planned or ())
        },
        selections={name: loaded.selection for name, loaded in loaded_sets.items() if loaded.selection},
        unreachable=unreachable,
        planned=planned or {},
    )


def _load(name: str, config: ProblemSetConfig, planned: dict[str, PlannedSet] | None) -> LoadedProblems:
    """Return a set; an empty one, with an entry in ``planned``, where a dry run may go on without it."""
    try:
        return load_problems(config)
    except Unreachable as error:
        problems = config.declared_problems()
        if planned is None or problems is None:
            raise Unreachable(f"problems.{name}: {error}") from error
        planned[name] = PlannedSet(problems, str(error).removesuffix(REMEDY))
        return LoadedProblems(problems=(), source=config.name, collected=CollectedProblems(problems=()))


def _load_evaluation(
    config: ProblemsConfig, planned: dict[str, PlannedSet] | None
) -> tuple[dict[str, LoadedProblems], dict[str, str]]:
    """Return the evaluation sets, and why others cannot be reached, if the config allows that."""
    evaluation: dict[str, LoadedProblems] = {}
    unreachable: dict[str, str] = {}
    for name, set_config in config.evaluation.items():
        try:
            evaluation[name] = _load(f"{EVALUATION}.{name}", set_config, planned)
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
