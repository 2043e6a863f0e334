"""ProcessBench (arXiv 2412.06559): find the first incorrect step of a solution, or report that there is none.

File schema, prediction from step scores and a threshold, the F1 of the two accuracies, and the choice of a threshold.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist

from pydantic import TypeAdapter, ValidationError

from search import serialization
from search.errors import UserError
from search.evaluation.confidence import Interval, wilson
from search.problems.fields import BadRow
from search.problems.files import jsonl_rows
from search.problems.rows import SourceRow
from search.seeds import derive

NO_ERROR = -1
SCHEMA = "id, generator, problem, steps, final_answer_correct and label each"
Z97_5 = NormalDist().inv_cdf(1 - 0.05 / 4)  # two-sided 97.5 %: two such intervals hold together with 95 %


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRow:
    """A solution. ``label`` is the index of its first incorrect step, or -1. Raises ValueError for impossible values."""

    id: str
    generator: str
    problem: str
    steps: tuple[str, ...]
    final_answer_correct: bool
    label: int

    def __post_init__(self) -> None:
        if not self.steps or not all(step.strip() for step in self.steps):
            raise ValueError("steps must be texts that are not empty, one at least")
        if not NO_ERROR <= self.label < len(self.steps):
            raise ValueError(f"label must be -1 or the index of one of {len(self.steps)} steps, not {self.label}")


def read_rows(path: Path) -> tuple[ProcessRow, ...]:
    """Return the rows of a file of JSON lines or of one JSON list. UserError names file, line and field of a bad row."""
    return tuple(_parse_row(row) for row in _source_rows(path))


def dump_rows(rows: Iterable[ProcessRow]) -> str:
    """Return the rows as JSON lines."""
    return "".join(f"{serialization.dump(row)}\n" for row in rows)


def _source_rows(path: Path) -> Iterator[SourceRow]:
    if path.is_file() and path.read_bytes().lstrip()[:1] == b"[":
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(f"{path}: not JSON: {error}; expected JSON lines with {SCHEMA}") from error
        return (SourceRow(f"{path}, row {number}", value) for number, value in enumerate(values, start=1))
    return jsonl_rows(path, SCHEMA)


def _parse_row(row: SourceRow) -> ProcessRow:
    if isinstance(row.value, BadRow):
        raise UserError(f"{row.place}: {row.value}")
    try:
        return _ADAPTER.validate_json(json.dumps(row.value), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "row"
        raise UserError(f"{row.place}: {field}: {first['msg']}; expected {SCHEMA}") from error


_ADAPTER = TypeAdapter(ProcessRow)


def balance_by_problem(rows: Sequence[ProcessRow], seed: int) -> list[ProcessRow]:
    """Return at most one row with an error and one without per problem, drawn by the seed, in the order of ``rows``.

    Several solutions of one problem fail alike: they would make an accuracy look surer than it is.
    """
    drawn: dict[tuple[str, bool], ProcessRow] = {}
    for row in sorted(rows, key=lambda row: derive(seed, row.id)):
        drawn.setdefault((row.problem, row.label == NO_ERROR), row)
    kept = set(map(id, drawn.values()))
    return [row for row in rows if id(row) in kept]


def is_for_threshold(row: ProcessRow, share: float) -> bool:
    """Return whether a row is for choosing a threshold rather than for measuring: about ``share`` of problems, by hash."""
    return derive("choose", row.problem) / 2**63 < share


@dataclass(frozen=True, slots=True)
class ScoredSteps:
    """The scores in [0, 1] that a reward model gives the steps of a solution, with the label of its row."""

    label: int
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessScore:
    """Accuracy on solutions with an error (the very step is found), on correct ones (none is found), and their F1.

    Intervals are at 95 %. That of F1 combines Wilson's intervals of both accuracies at 97.5 %: both hold together with
    95 %, whatever their dependence, and F1 rises with both.
    """

    threshold: float
    erroneous: Interval
    correct: Interval
    f1: Interval


def predict_first_error(scores: Sequence[float], threshold: float) -> int:
    """Return the index of the first step whose score is below the threshold, or -1."""
    return next((index for index, score in enumerate(scores) if score < threshold), NO_ERROR)


def measure(solutions: Sequence[ScoredSteps], threshold: float) -> ProcessScore:
    """Return the accuracies at a threshold. UserError if no solution has an error, or all have one."""
    hits = [
        (sum(predict_first_error(solution.scores, threshold) == solution.label for solution in part), len(part))
        for part in _by_kind(solutions)
    ]
    wide = [wilson(*counts, z=Z97_5) for counts in hits]
    f1 = Interval(
        mean=_harmonic_mean(*(interval.mean for interval in wide)),
        low=_harmonic_mean(*(interval.low for interval in wide)),
        high=_harmonic_mean(*(interval.high for interval in wide)),
        n=len(solutions),
    )
    return ProcessScore(threshold=threshold, erroneous=wilson(*hits[0]), correct=wilson(*hits[1]), f1=f1)


def choose_threshold(solutions: Sequence[ScoredSteps]) -> float:
    """Return the threshold in [0, 1] of the highest F1 on these solutions, which must not be the measured ones.

    F1 is constant between two scores. Of the best such pieces the widest is taken, then the lowest, and its middle
    returned. UserError as in ``measure``.
    """
    erroneous, correct = _by_kind(solutions)
    gains: dict[float, list[int]] = defaultdict(lambda: [0, 0])  # by threshold: change of the hits in each part
    hits = [0, 0]
    for kind, part in enumerate((erroneous, correct)):
        for solution in part:
            for low, high in _hit_ranges(solution):
                hits[kind] += low < 0
                gains[low][kind] += low >= 0
                gains[high][kind] -= 1
    pieces: list[tuple[float, float, float]] = []  # (F1, width, -middle)
    edges = sorted({0.0, 1.0, *(edge for edge in gains if 0 <= edge <= 1)})
    for low, high in pairwise(edges):
        hits = [count + gain for count, gain in zip(hits, gains[low], strict=True)]
        f1 = _harmonic_mean(hits[0] / len(erroneous), hits[1] / len(correct))
        pieces.append((f1, high - low, -(low + high) / 2))
    return -max(pieces)[2]


def _hit_ranges(solution: ScoredSteps) -> Iterator[tuple[float, float]]:
    """Yield (low, high) such that the prediction is correct for low < threshold <= high; -1 and 2 mean unbounded.

    Step i is predicted by thresholds above its score and up to the lowest score before it.
    """
    lowest = 2.0
    for index, score in enumerate(solution.scores):
        if index == solution.label and score < lowest:
            yield score, lowest
        lowest = min(lowest, score)
    if solution.label == NO_ERROR:
        yield -1.0, lowest


def require_both_kinds(labels: Sequence[int], purpose: str) -> None:
    """Raise UserError, which names the ``purpose``, if no solution has an incorrect step, or all have one."""
    correct = sum(label == NO_ERROR for label in labels)
    if correct in (0, len(labels)):
        raise UserError(
            f"{purpose}: {len(labels) - correct} solutions with an incorrect step and {correct} without, "
            "both kinds are needed"
        )


def _by_kind(solutions: Sequence[ScoredSteps]) -> tuple[list[ScoredSteps], list[ScoredSteps]]:
    """Return the solutions with an error, and those without."""
    require_both_kinds([solution.label for solution in solutions], "accuracies of step scores")
    erroneous = [solution for solution in solutions if solution.label != NO_ERROR]
    return erroneous, [solution for solution in solutions if solution.label == NO_ERROR]


def _harmonic_mean(first: float, second: float) -> float:
    return 2 * first * second / (first + second) if first + second else 0.0
