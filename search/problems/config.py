"""Options of problem sets: where they come from, and which problems to take."""

from __future__ import annotations

from pydantic import Field, model_validator

from search.config import StrictConfig

CURRICULUM = "curriculum"
DEFAULT_SPLIT = "train"


class ProblemSetConfig(StrictConfig):
    """Where a set of problems comes from, and which of them to take."""

    name: str = Field(
        min_length=1,
        description="'curriculum', a data set by its name such as 'gsm8k', a path to a file (JSON, JSON lines, parquet, CSV), "
        "or a Hugging Face data set as owner/name",
    )
    split: str | None = Field(
        default=None,
        min_length=1,
        description="split of the curriculum or of the data set (without it: train, or the first of a named set); unused "
        "for a file",
    )
    file: str | None = Field(
        default=None, min_length=1, description="a local copy of a data set by name, read in place of the Hub"
    )
    count: int | None = Field(
        default=None,
        ge=1,
        description="number of problems; of a file or data set at most so many, drawn at random; all without it",
    )
    size: int | None = Field(
        default=None,
        ge=1,
        description="problems in the whole data set, for a dry run that cannot reach it; without it: count",
    )
    seed: int = Field(default=0, ge=0, description="seed of the draw, or of the curriculum")
    levels: tuple[int, int] = Field(default=(2, 5), description="least and most reasoning steps; curriculum only")
    part: tuple[float, float] = Field(
        default=(0.0, 1.0),
        description="from where to where in the file to take problems (shares, by a hash of the question, of fewer than "
        "200 problems by its rank): parts of a file that do not meet share no question; not for the curriculum",
    )
    subset: str | None = Field(default=None, description="configuration of a Hugging Face data set, such as 'main'")
    question_field: str | None = Field(
        default=None,
        min_length=1,
        description="field that holds the question, a.b for a nested one; guessed from the usual names without it",
    )
    answer_field: str | None = Field(
        default=None,
        min_length=1,
        description="field that holds the answer, or a solution that ends in '#### ANSWER' or has \\boxed{ANSWER}; guessed "
        "without it",
    )
    id_field: str | None = Field(
        default=None, min_length=1, description="field that holds the id, where there is one; guessed without it"
    )
    skip_bad_lines: bool = Field(default=False, description="skip and count bad rows, do not refuse the file")

    @model_validator(mode="after")
    def _check_combination(self) -> ProblemSetConfig:
        if not 1 <= self.levels[0] <= self.levels[1]:
            raise ValueError(f"levels must be 1 <= least <= most, not {list(self.levels)}")
        if not 0.0 <= self.part[0] < self.part[1] <= 1.0:
            raise ValueError(f"part must be 0 <= from < to <= 1, not {list(self.part)}")
        if self.name == CURRICULUM and self.count is None:
            raise ValueError("the curriculum has no end: give a count")
        if self.name == CURRICULUM and self.file is not None:
            raise ValueError("the curriculum has no file: leave file out")
        if self.name == CURRICULUM and self.part != (0.0, 1.0):
            raise ValueError("the curriculum has splits, not parts: leave part out")
        return self

    def declared_problems(self) -> int | None:
        """Return how many problems a dry run plans by where the set cannot be reached; None if the config does not say.

        Of a size of 7500 the part [0.0, 0.9] has 6750, of which count takes at most so many.
        """
        if self.size is None:
            return self.count
        part = round(self.size * (self.part[1] - self.part[0]))
        return part if self.count is None else min(part, self.count)


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
    allow_unreachable_evaluation: bool = Field(
        default=False,
        description="leave out evaluation sets of the Hugging Face Hub that cannot be reached, which training problems are "
        "then not compared with; the manifest records them",
    )
