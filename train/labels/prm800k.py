"""Read PRM800K's files (Let's Verify Step by Step, arXiv 2305.20050): their rows as records.

A row is one solution with a person's ratings of its steps. Fields that the schema does not have are ignored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from search.errors import UserError
from train.data.records import BadLine, parse_record


def _no_bool(value: object) -> object:
    """Make true and false impossible ratings: they would pass for 1 and 0."""
    return str(value) if isinstance(value, bool) else value


Rating = Annotated[Literal[-1, 0, 1], BeforeValidator(_no_bool)]  # incorrect, neutral, correct
FinishReason = Literal["found_error", "solution", "bad_problem", "give_up"]
Index = Annotated[int, Field(ge=0, strict=True)]

GIT_LFS = b"version https://git-lfs.github.com/"
EXPECTED = "expected PRM800K's JSON lines, one labelled solution each"


@dataclass(frozen=True, slots=True)
class Completion:
    """A candidate for a step as the model wrote it. ``rating`` is None where nobody rated it."""

    text: str
    rating: Rating | None
    flagged: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanCompletion:
    """A step that the labeler wrote where no candidate would do (first phase only); the published ones have no rating."""

    text: str
    rating: Rating | None = None
    source: str | None = None
    flagged: bool | None = None
    corrected_rating: int | None = None


@dataclass(frozen=True, slots=True)
class LabelledStep:
    """The candidates for one step.

    ``chosen_completion``: index of the candidate that the next step continues; None if that is ``human_completion``, or if
    there is no next step. Raises ValueError for an index of no candidate.
    """

    completions: tuple[Completion, ...] | None
    human_completion: HumanCompletion | None = None
    chosen_completion: Index | None = None

    def __post_init__(self) -> None:
        if self.chosen_completion is not None and self.chosen_completion >= len(self.candidates):
            raise ValueError(f"chosen_completion is {self.chosen_completion} of {len(self.candidates)} completions")

    @property
    def candidates(self) -> tuple[Completion, ...]:
        return self.completions or ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The problem; ``pre_generated_*`` is the solution that was labelled (second phase) and the PRM's score of it."""

    problem: str
    ground_truth_answer: str | None = None
    ground_truth_solution: str | None = None
    pre_generated_steps: tuple[str, ...] | None = None
    pre_generated_answer: str | None = None
    pre_generated_verifier_score: float | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """The labeler's ratings. ``total_time`` in milliseconds; ``finish_reason`` is None if nobody has labelled yet."""

    steps: tuple[LabelledStep, ...]
    total_time: float | None = None
    finish_reason: FinishReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prm800kRow:
    """One line of a file."""

    labeler: str | None
    timestamp: str | None
    generation: int | None
    is_quality_control_question: bool
    is_initial_screening_question: bool
    question: Question
    label: Label


def read_rows(
    files: Sequence[Path], tally: Counter[str], skip_bad_lines: bool = False
) -> Iterator[tuple[str, Prm800kRow]]:
    """Yield the rows of the files in order, one at a time, each with its place, ``file:7``. Blank lines are ignored.

    ``tally`` counts "rows", malformed ones included. Raises UserError for a file that cannot be read, is empty or was
    never fetched. A malformed line raises UserError that names place and field, or is counted as "bad_lines".
    """
    for file in files:
        if not file.is_file():
            raise UserError(f"{file}: no such file; {EXPECTED}")
        before = tally["rows"]
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if number == 1 and line.startswith(GIT_LFS):
                    raise UserError(f"{file}: only a pointer to the file; fetch the file itself with 'git lfs pull'")
                if not line.strip():
                    continue
                tally["rows"] += 1
                place = f"{file}:{number}"
                try:
                    row = parse_record(Prm800kRow, line)
                except BadLine as bad:
                    fault = str(bad) if bad.field else f"{bad}; {EXPECTED}"
                    handle_bad_line(place, fault, skip_bad_lines, tally)
                    continue
                yield place, row
        if tally["rows"] == before:
            raise UserError(f"{file}: the file is empty; {EXPECTED}")


def handle_bad_line(place: str, fault: str, skip: bool, tally: Counter[str]) -> None:
    """Raise UserError with the place and fault of a line, or count it as one of "bad_lines" if bad lines are skipped."""
    if not skip:
        raise UserError(f"{place}: {fault}")
    tally["bad_lines"] += 1
