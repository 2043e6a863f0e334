"""Load problem sets: the built-in curriculum, a Hugging Face data set or a JSONL file."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field, model_validator

from search.config import StrictConfig
from search.data import Problem
from search.errors import UserError
from search.problems import curriculum
from search.problems.decontaminate import Overlap, decontaminate
from search.problems.rows import CollectedProblems, FieldNames, collect_problems, hugging_face_rows, jsonl_rows
from search.seeds import derive

CURRICULUM = "curriculum"
HUGGING_FACE_NAME = re.compile(r"^[\w.-]+/[\w.-]+$")
FILE_ENDINGS = (".jsonl", ".json", ".ndjson", ".txt", ".csv")


class ProblemSetConfig(StrictConfig):
    """Where a set of problems comes from, and which of them to take."""

    name: str = Field(
        min_length=1, description="'curriculum', a path to a JSONL file, or a Hugging Face data set as owner/name"
    )
    split: str = Field(
        default="train", min_length=1, description="split of the curriculum or of the data set; unused for a file"
    )
    count: int | None = Field(
        default=None,
        ge=1,
        description="number of problems; of a file or data set at most so many, drawn at random; all without it",
    )
    seed: int = Field(default=0, ge=0, description="seed of the draw, or of the curriculum")
    levels: tuple[int, int] = Field(default=(2, 5), description="least and most reasoning steps; curriculum only")
    part: tuple[float, float] = Field(
        default=(0.0, 1.0),
        description="from where to where in the file to take problems (shares, by a hash of the question): "
        "parts that do not meet share no question; not for the curriculum",
    )
    subset: str | None = Field(default=None, description="configuration of a Hugging Face data set, such as 'main'")
    question_field: str = Field(default="question", min_length=1, description="field that holds the question")
    answer_field: str = Field(
        default="answer",
        min_length=1,
        description="field that holds the answer, or a solution that ends in '#### ANSWER' or has \\boxed{ANSWER}",
    )
    id_field: str = Field(default="id", min_length=1, description="field that holds the id, where there is one")
    skip_bad_lines: bool = Field(default=False, description="skip and count bad rows, do not refuse the file")

    @model_validator(mode="after")
    def _check_combination(self) -> ProblemSetConfig:
        if not 1 <= self.levels[0] <= self.levels[1]:
            raise ValueError(f"levels must be 1 <= least <= most, not {list(self.levels)}")
        if not 0.0 <= self.part[0] < self.part[1] <= 1.0:
            raise ValueError(f"part must be 0 <= from < to <= 1, not {list(self.part)}")
        if self.name == CURRICULUM and self.count is None:
            raise ValueError("the curriculum has no end: give a count")
        if self.name == CURRICULUM and self.part != (0.0, 1.0):
            raise ValueError("the curriculum has splits, not parts: leave part out")
        return self


def _built_in(split: str, count: int, levels: tuple[int, int] = (2, 5)) -> ProblemSetConfig:
    return ProblemSetConfig(name=CURRICULUM, split=split, count=count, levels=levels)


def _evaluation_sets() -> dict[str, ProblemSetConfig]:
    return {"heldout": _built_in("heldout", 300), "deeper": _built_in("deeper", 300, (6, 8))}


class ProblemsConfig(StrictConfig):
    """The problem sets of a run."""

    train: ProblemSetConfig = Field(
        default_factory=lambda: _built_in("train", 400), description="problems that are searched and learned from"
    )
    validation: ProblemSetConfig = Field(
        default_factory=lambda: _built_in("validation", 100),
        description="problems that promotion and settings are chosen by",
    )
    evaluation: dict[str, ProblemSetConfig] = Field(
        default_factory=_evaluation_sets, description="problems that are only measured, by name"
    )
    overlap_ngram: int = Field(
        default=8,
        ge=0,
        le=50,
        description="length of the n-grams in which questions are compared (tokens); 0 compares whole questions only",
    )
    overlap_threshold: float = Field(
        default=0.6, gt=0.0, le=1.0, description="share of common n-grams from which a training problem is dropped"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedProblems:
    """A problem set. ``skipped`` counts bad rows, ``repeated`` rows that repeat a problem; ``source`` names the set."""

    problems: tuple[Problem, ...]
    skipped: int
    source: str
    repeated: int = 0


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


def load_problems(config: ProblemSetConfig) -> LoadedProblems:
    """Return the problems of a set, in a fixed order and with stable ids. Bad input is a UserError of one line."""
    if config.name == CURRICULUM:
        return _load_curriculum(config)
    path = Path(config.name).expanduser()
    if path.suffix in FILE_ENDINGS or path.exists() or path.is_absolute():
        source = path.stem
        rows = jsonl_rows(path)
    elif HUGGING_FACE_NAME.match(config.name):
        source = config.name.rsplit("/", 1)[1]
        rows = hugging_face_rows(config.name, config.subset, config.split)
    else:
        raise UserError(
            f"unknown problem set {config.name!r}: expected 'curriculum', a path to a JSONL file, or a Hugging Face "
            "data set as owner/name"
        )
    fields = FieldNames(config.question_field, config.answer_field, config.id_field)
    collected = collect_problems(rows, fields, source, config.skip_bad_lines)
    return LoadedProblems(
        problems=_select(collected, config), skipped=collected.skipped, source=source, repeated=collected.repeated
    )


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


def _load_curriculum(config: ProblemSetConfig) -> LoadedProblems:
    assert config.count is not None  # the config refuses a curriculum without a count
    try:
        problems = curriculum.make_problems(config.split, config.count, config.seed, config.levels)
    except ValueError as error:
        raise UserError(f"curriculum, split {config.split!r}, levels {list(config.levels)}: {error}") from error
    return LoadedProblems(problems=tuple(problems), skipped=0, source=CURRICULUM)


def _select(collected: CollectedProblems, config: ProblemSetConfig) -> tuple[Problem, ...]:
    """Return the problems of ``config.part``, of these ``config.count`` at random, in the order of the file."""
    if not collected.problems:
        raise UserError(f"{config.name}: no usable problem, {collected.skipped} rows were skipped")
    low, high = config.part
    problems = [p for p in collected.problems if low <= derive("part", p.question) / 2**63 < high]
    if not problems:
        raise UserError(f"{config.name}: no problem in part {list(config.part)} of {len(collected.problems)}")
    if config.count is None or config.count >= len(problems):
        return tuple(problems)
    rng = random.Random(derive("draw", config.seed))
    return tuple(problems[index] for index in sorted(rng.sample(range(len(problems)), config.count)))
