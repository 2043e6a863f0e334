"""The ProcessBench protocol (arXiv 2412.06559): find the first wrong step of a solution, or say that there is none.

Its file schema, the prediction from step scores and a threshold, F1 of the two accuracies, and the choice of a threshold.
Pure but for reading a file; knows no judge.
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
from search.problems.rows import BadRow, SourceRow, jsonl_rows
from search.seeds import derive

NO_ERROR = -1
SCHEMA = "id, generator, problem, steps, final_answer_correct and label each"
BOTH = NormalDist().inv_cdf(1 - 0.05 / 4)  # two-sided 97.5 %: two such intervals hold together with 95 %


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One solution. ``label`` is the index of its first wrong step, -1 where none is. ValueError for what cannot be."""

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


def read(path: Path) -> tuple[ProcessRow, ...]:
    """The rows of a file: JSON lines, or one JSON list of rows. UserError names file, line and field of a bad one."""
    return tuple(_row(row) for row in _rows(path))


def text(rows: Iterable[ProcessRow]) -> str:
    """The rows as JSON lines."""
    return "".join(f"{serialization.dump(row)}\n" for row in rows)


def _rows(path: Path) -> Iterator[SourceRow]:
    if path.is_file() and path.read_bytes().lstrip()[:1] == b"[":
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(f"{path}: not JSON: {error}; expected JSON lines with {SCHEMA}") from error
        return (SourceRow(f"{path}, row {number}", value) for number, value in enumerate(values, start=1))
    return jsonl_rows(path, SCHEMA)


def _row(row: SourceRow) -> ProcessRow:
    if isinstance(row.value, BadRow):
        raise UserError(f"{row.place}: {row.value}")
    try:
        return _ADAPTER.validate_json(json.dumps(row.value), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "row"
        raise UserError(f"{row.place}: {where}: {first['msg']}; expected {SCHEMA}") from error


_ADAPTER = TypeAdapter(ProcessRow)


def one_of_each(rows: Sequence[ProcessRow], seed: int) -> list[ProcessRow]:
    """Of the rows of each problem one with an error and one without at most, drawn by the seed, in the order given.

    Several solutions of one problem fail alike: they would make an accuracy look surer than it is.
    """
    kept: dict[tuple[str, bool], ProcessRow] = {}
    for row in sorted(rows, key=lambda row: derive(seed, row.id)):
        kept.setdefault((row.problem, row.label == NO_ERROR), row)
    chosen = set(map(id, kept.values()))
    return [row for row in rows if id(row) in chosen]


def chooses(row: ProcessRow, share: float) -> bool:
    """Whether the row is for choosing a threshold, not for measuring: so are about ``share`` of all problems, by a hash."""
    return derive("choose", row.problem) / 2**63 < share


@dataclass(frozen=True, slots=True)
class JudgedSteps:
    """What a judge says of one solution: a score in [0, 1] a step, beside the label of the row."""

    label: int
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ProcessScore:
    """Accuracy on solutions with an error (found at the very step) and on right ones (none found), and F1 of both.

    Intervals are at 95 %. That of F1 takes Wilson's of either accuracy at 97.5 %: both hold together with 95 %, however
    they depend on each other, and F1 rises with both.
    """

    threshold: float
    erroneous: Interval
    right: Interval
    f1: Interval


def predicted(scores: Sequence[float], threshold: float) -> int:
    """Index of the first step whose score is below the threshold, -1 where none is."""
    return next((index for index, score in enumerate(scores) if score < threshold), NO_ERROR)


def measure(judged: Sequence[JudgedSteps], threshold: float) -> ProcessScore:
    """The protocol's numbers. UserError where there are no solutions with an error, or none without."""
    wrong, right = _parts(judged)
    shares = [
        (sum(predicted(one.scores, threshold) == one.label for one in part), len(part)) for part in (wrong, right)
    ]
    ends = [wilson(*share, z=BOTH) for share in shares]
    f1 = Interval(
        _harmonic(*(end.mean for end in ends)),
        _harmonic(*(end.low for end in ends)),
        _harmonic(*(end.high for end in ends)),
        len(judged),
    )
    return ProcessScore(threshold, wilson(*shares[0]), wilson(*shares[1]), f1)


def choose_threshold(judged: Sequence[JudgedSteps]) -> float:
    """The threshold in [0, 1] of the highest F1 on these solutions, which must not be the measured ones.

    F1 is constant between two scores: the middle of the best such piece; of equally good ones of the widest, then of
    the lowest. UserError as ``measure``.
    """
    wrong, right = _parts(judged)
    gains: dict[float, list[int]] = defaultdict(lambda: [0, 0])
    hits = [0, 0]
    for kind, part in enumerate((wrong, right)):
        for one in part:
            for low, high in _hits(one):  # the prediction is right for low < threshold <= high
                hits[kind] += low < 0
                gains[low][kind] += low >= 0
                gains[high][kind] -= 1
    found: list[tuple[float, float, float]] = []
    edges = sorted({0.0, 1.0, *(edge for edge in gains if 0 <= edge <= 1)})
    for low, high in pairwise(edges):
        hits = [count + gain for count, gain in zip(hits, gains[low], strict=True)]
        f1 = _harmonic(hits[0] / len(wrong), hits[1] / len(right))
        found.append((f1, high - low, -(low + high) / 2))
    return -max(found)[2]


def _hits(one: JudgedSteps) -> Iterator[tuple[float, float]]:
    """Where the threshold must lie for the prediction to be right: above the one, up to the other; -1 and 2 are no end.

    Step i is predicted by thresholds above its score and up to the lowest score before it.
    """
    lowest = 2.0
    for index, score in enumerate(one.scores):
        if index == one.label and score < lowest:
            yield score, lowest
        lowest = min(lowest, score)
    if one.label == NO_ERROR:
        yield -1.0, lowest


def require_both(labels: Sequence[int], what: str) -> None:
    """Raise UserError where there are no solutions with a wrong step, or none without; ``what`` needs them."""
    right = sum(label == NO_ERROR for label in labels)
    if right in (0, len(labels)):
        raise UserError(
            f"{what}: {len(labels) - right} solutions with a wrong step and {right} without, both kinds are needed"
        )


def _parts(judged: Sequence[JudgedSteps]) -> tuple[list[JudgedSteps], list[JudgedSteps]]:
    require_both([one.label for one in judged], "accuracies of a judge of steps")
    wrong = [one for one in judged if one.label != NO_ERROR]
    return wrong, [one for one in judged if one.label == NO_ERROR]


def _harmonic(first: float, second: float) -> float:
    return 2 * first * second / (first + second) if first + second else 0.0
