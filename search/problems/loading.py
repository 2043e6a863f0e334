"""Problem sets by name: the built-in curriculum, a Hugging Face data set or a JSONL file. Knows no model and no search."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from search.data import Problem
from search.errors import UserError
from search.problems import curriculum
from search.problems.decontaminate import Overlap, decontaminate
from search.problems.rows import Fields, Gathered, gather, hugging_face_rows, jsonl_rows
from search.seeds import derive

CURRICULUM = "curriculum"
HUGGING_FACE_NAME = re.compile(r"^[\w.-]+/[\w.-]+$")
FILE_ENDINGS = (".jsonl", ".json", ".ndjson", ".txt", ".csv")


class SourceConfig(BaseModel):
    """Where a set of problems comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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
    def _possible(self) -> SourceConfig:
        if not 1 <= self.levels[0] <= self.levels[1]:
            raise ValueError(f"levels must be 1 <= least <= most, not {list(self.levels)}")
        if not 0.0 <= self.part[0] < self.part[1] <= 1.0:
            raise ValueError(f"part must be 0 <= from < to <= 1, not {list(self.part)}")
        if self.name == CURRICULUM and self.count is None:
            raise ValueError("the curriculum has no end: give a count")
        if self.name == CURRICULUM and self.part != (0.0, 1.0):
            raise ValueError("the curriculum has splits, not parts: leave part out")
        return self


def _built_in(split: str, count: int, levels: tuple[int, int] = (2, 5)) -> SourceConfig:
    return SourceConfig(name=CURRICULUM, split=split, count=count, levels=levels)


def _evaluation_sets() -> dict[str, SourceConfig]:
    return {"heldout": _built_in("heldout", 300), "deeper": _built_in("deeper", 300, (6, 8))}


class ProblemsConfig(BaseModel):
    """The sets of a run: what is searched for training, what every choice is made by, what is only measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: SourceConfig = Field(
        default_factory=lambda: _built_in("train", 400), description="problems that are searched and learned from"
    )
    validation: SourceConfig = Field(
        default_factory=lambda: _built_in("validation", 100),
        description="problems that promotion and settings are chosen by",
    )
    evaluation: dict[str, SourceConfig] = Field(
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


@dataclass(frozen=True, slots=True)
class LoadedProblems:
    """A set as loaded. ``skipped`` rows were bad, ``repeated`` ones asked the same again; ``source`` names the set."""

    problems: tuple[Problem, ...]
    skipped: int
    source: str
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class ProblemSets:
    """The sets of a run. ``dropped`` has, by set, the problems left out because a set that measures has them too."""

    train: tuple[Problem, ...]
    validation: tuple[Problem, ...]
    evaluation: Mapping[str, tuple[Problem, ...]]
    dropped: Mapping[str, tuple[Overlap, ...]] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)


def load(source: SourceConfig) -> LoadedProblems:
    """The problems of a set, in a fixed order with stable ids. Bad input is a UserError of one line."""
    if source.name == CURRICULUM:
        return _from_curriculum(source)
    path = Path(source.name).expanduser()
    if path.suffix in FILE_ENDINGS or path.exists() or path.is_absolute():
        label = path.stem
        rows = jsonl_rows(path)
    elif HUGGING_FACE_NAME.match(source.name):
        label = source.name.rsplit("/", 1)[1]
        rows = hugging_face_rows(source.name, source.subset, source.split)
    else:
        raise UserError(
            f"unknown problem set {source.name!r}: expected 'curriculum', a path to a JSONL file, or a Hugging Face "
            "data set as owner/name"
        )
    fields = Fields(source.question_field, source.answer_field, source.id_field)
    gathered = gather(rows, fields, label, source.skip_bad_lines)
    return LoadedProblems(_drawn(gathered, source), gathered.skipped, label, gathered.repeated)


def load_sets(config: ProblemsConfig) -> ProblemSets:
    """All sets of a run. What an evaluation set has is dropped from validation, and what either has from training.

    UserError if a source is bad or nothing is left of a set.
    """
    loaded = {"train": load(config.train), "validation": load(config.validation)}
    measured = {name: load(source) for name, source in config.evaluation.items()}
    held = [problem for one in measured.values() for problem in one.problems]
    limits = (config.overlap_ngram, config.overlap_threshold)
    validation = decontaminate(loaded["validation"].problems, held, *limits)
    train = decontaminate(loaded["train"].problems, [*held, *validation.kept], *limits)
    for name, clean in (("train", train), ("validation", validation)):
        if not clean.kept:
            raise UserError(f"problems.{name}: all {len(clean.dropped)} problems occur in a set that is only measured")
    everything = {**loaded, **{f"evaluation.{name}": one for name, one in measured.items()}}
    return ProblemSets(
        train=train.kept,
        validation=validation.kept,
        evaluation={name: one.problems for name, one in measured.items()},
        dropped={"train": train.dropped, "validation": validation.dropped},
        skipped={name: one.skipped for name, one in everything.items()},
    )


def _from_curriculum(source: SourceConfig) -> LoadedProblems:
    assert source.count is not None  # the config refuses a curriculum without a count
    try:
        problems = curriculum.problems(source.split, source.count, source.seed, source.levels)
    except ValueError as error:
        raise UserError(f"curriculum, split {source.split!r}, levels {list(source.levels)}: {error}") from error
    return LoadedProblems(tuple(problems), 0, CURRICULUM)


def _drawn(gathered: Gathered, source: SourceConfig) -> tuple[Problem, ...]:
    """The problems of the part, of these ``count`` at random, in the order of the file."""
    if not gathered.problems:
        raise UserError(f"{source.name}: no usable problem, {gathered.skipped} rows were skipped")
    low, high = source.part
    problems = [p for p in gathered.problems if low <= derive("part", p.question) / 2**63 < high]
    if not problems:
        raise UserError(f"{source.name}: no problem in part {list(source.part)} of {len(gathered.problems)}")
    if source.count is None or source.count >= len(problems):
        return tuple(problems)
    rng = random.Random(derive("draw", source.seed))
    return tuple(problems[index] for index in sorted(rng.sample(range(len(problems)), source.count)))
