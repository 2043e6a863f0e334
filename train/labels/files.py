"""Write the files of step labels and of outcomes that a training run reads, and count what they hold.

Labels that are all equal, or no labels at all, are no error when they are written. The counts give the reason, and a
training run refuses the file for it (``train.data.loading.NothingToLearn``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from search import serialization
from search.data import StepLabels, Trajectory
from search.storage.files import open_atomic
from train.data.label_targets import values
from train.labels.first_error import first_error
from train.record_files import OUTCOMES, STEP_LABELS

LABEL_COUNTS = "label_counts.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCounts:
    """Counts of a file of step labels.

    Attributes:
        records: solutions, or beginnings of some.
        labels: labels of all records.
        erroneous: records with a label that calls its step incorrect.
        min_value, max_value: lowest and highest label as values in [-1, 1]; None without any label.
        nothing_to_learn: the reason if there is nothing to tell apart, else empty.
    """

    records: int
    labels: int
    erroneous: int
    min_value: float | None
    max_value: float | None
    nothing_to_learn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeCounts:
    """Counts of a file of outcomes; ``nothing_to_learn`` as in ``LabelCounts``."""

    correct: int
    incorrect: int
    nothing_to_learn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelHarvest:
    """Counts of the two files, and counts of the ``source`` by name."""

    labels: LabelCounts
    source: Mapping[str, float]
    outcomes: OutcomeCounts


@dataclass(slots=True)
class LabelWriter:
    """An open file of step labels, and counts of what was written so far."""

    file: TextIO
    records: int = 0
    labels: int = 0
    erroneous: int = 0
    value_range: list[float] = field(default_factory=list)

    def add(self, record: StepLabels) -> None:
        self.file.write(serialization.dump(record) + "\n")
        record_values = [value[0] for value in values(record) if value is not None]
        self.records += 1
        self.labels += len(record_values)
        self.erroneous += first_error(record) is not None
        extremes = [*self.value_range, *record_values]
        self.value_range = [min(extremes), max(extremes)] if extremes else []

    def counts(self) -> LabelCounts:
        min_value, max_value = self.value_range or (None, None)
        return LabelCounts(
            records=self.records,
            labels=self.labels,
            erroneous=self.erroneous,
            min_value=min_value,
            max_value=max_value,
            nothing_to_learn=self._why_nothing_to_learn(),
        )

    def _why_nothing_to_learn(self) -> str:
        if not self.records:
            return "there is no solution with labels"
        if not self.labels:
            return f"none of {self.records} solutions has a label"
        if self.value_range[0] == self.value_range[1]:
            value = self.value_range[0]
            return f"all {self.labels} labels say the same, {value:g} in [-1, 1]: there is nothing to tell apart"
        return ""


@dataclass(slots=True)
class OutcomeWriter:
    """An open file of outcomes, and counts of what was written so far."""

    file: TextIO
    correct: int = 0
    incorrect: int = 0

    def add(self, solution: Trajectory) -> None:
        self.file.write(serialization.dump(solution) + "\n")
        self.correct += solution.correct
        self.incorrect += not solution.correct

    def counts(self) -> OutcomeCounts:
        reason, count = "", self.correct + self.incorrect
        if not self.correct or not self.incorrect:
            grade = "correct" if self.correct else "incorrect"
            reason = f"all {count} solutions are {grade}" if count else "there is no solution with a known outcome"
        return OutcomeCounts(correct=self.correct, incorrect=self.incorrect, nothing_to_learn=reason)


@dataclass(frozen=True, slots=True)
class LabelFiles:
    """The two files of a harvest of step labels."""

    directory: Path
    labels: LabelWriter
    outcomes: OutcomeWriter

    def add_labels(self, records: Iterable[StepLabels]) -> None:
        for record in records:
            self.labels.add(record)

    def add_outcomes(self, solutions: Iterable[Trajectory]) -> None:
        for solution in solutions:
            self.outcomes.add(solution)

    def finish(self, source: Mapping[str, float]) -> LabelHarvest:
        """Write ``label_counts.json`` with the counts, those of the ``source`` included, and return them.

        It is the last file of a harvest: call this after the other two are closed.
        """
        harvest = LabelHarvest(labels=self.labels.counts(), source=source, outcomes=self.outcomes.counts())
        with open_atomic(self.directory / LABEL_COUNTS) as file:
            file.write(json.dumps(asdict(harvest), indent=2) + "\n")
        return harvest


@contextmanager
def open_label_files(directory: Path) -> Iterator[LabelFiles]:
    """Open ``step_labels.jsonl`` and ``outcomes.jsonl`` in ``directory``, which is made; each is complete or absent."""
    directory.mkdir(parents=True, exist_ok=True)
    with open_atomic(directory / STEP_LABELS) as labels, open_atomic(directory / OUTCOMES) as outcomes:
        yield LabelFiles(directory, LabelWriter(labels), OutcomeWriter(outcomes))
