"""Files of step labels and of outcomes as a training run reads them, and what there is to learn from them.

Labels that are all equal, or none at all, are no error when they are written: the counts give the reason, and a training
run would refuse the file for it (train.data.loading.NothingToLearn). Knows records and files; no source of labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from search import serialization
from search.data import StepLabels, Trajectory
from search.storage.files import complete
from train.labels.first_error import first_error
from train.labels.targets import values

STEP_LABELS, OUTCOMES, LABEL_COUNTS = "step_labels.jsonl", "outcomes.jsonl", "label_counts.json"


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """What a file of step labels holds.

    ``records`` (solutions, or beginnings of some) with ``labels`` in all; ``erroneous`` of them have a label that says
    wrong. ``least`` and ``greatest`` label as values in [-1, 1], None without any. ``nothing_to_learn`` is the reason,
    where there is nothing to tell apart, else empty.
    """

    records: int
    labels: int
    erroneous: int
    least: float | None
    greatest: float | None
    nothing_to_learn: str


@dataclass(frozen=True, slots=True)
class OutcomeCounts:
    """What a file of outcomes holds; ``nothing_to_learn`` as in LabelCounts."""

    right: int
    wrong: int
    nothing_to_learn: str


@dataclass(slots=True)
class LabelFile:
    """An open file of step labels, and what was written so far."""

    file: TextIO
    written: int = 0
    labels: int = 0
    erroneous: int = 0
    seen: list[float] = field(default_factory=list)

    def add(self, record: StepLabels) -> None:
        self.file.write(serialization.dump(record) + "\n")
        given = [value[0] for value in values(record) if value is not None]
        self.written += 1
        self.labels += len(given)
        self.erroneous += first_error(record) is not None
        ends = [*self.seen, *given]
        self.seen = [min(ends), max(ends)] if ends else []

    def counts(self) -> LabelCounts:
        least, greatest = self.seen or (None, None)
        return LabelCounts(self.written, self.labels, self.erroneous, least, greatest, self._reason())

    def _reason(self) -> str:
        if not self.written:
            return "there is no solution with labels"
        if not self.labels:
            return f"none of {self.written} solutions has a label"
        if self.seen[0] == self.seen[1]:
            return f"all {self.labels} labels say the same, {self.seen[0]:g} in [-1, 1]: there is nothing to tell apart"
        return ""


@dataclass(slots=True)
class OutcomeFile:
    """An open file of outcomes, and what was written so far."""

    file: TextIO
    right: int = 0
    wrong: int = 0

    def add(self, solution: Trajectory) -> None:
        self.file.write(serialization.dump(solution) + "\n")
        self.right += solution.correct
        self.wrong += not solution.correct

    def counts(self) -> OutcomeCounts:
        reason = ""
        if not self.right or not self.wrong:
            every = "right" if self.right else "wrong"
            count = self.right + self.wrong
            reason = f"all {count} solutions are {every}" if count else "there is no solution with a known outcome"
        return OutcomeCounts(self.right, self.wrong, reason)


@contextmanager
def label_file(directory: Path) -> Iterator[LabelFile]:
    """``step_labels.jsonl`` in ``directory``, complete or absent."""
    with complete(directory / STEP_LABELS) as file:
        yield LabelFile(file)


@contextmanager
def outcome_file(directory: Path) -> Iterator[OutcomeFile]:
    """``outcomes.jsonl`` in ``directory``, complete or absent."""
    with complete(directory / OUTCOMES) as file:
        yield OutcomeFile(file)


@dataclass(frozen=True, slots=True)
class LabelHarvest:
    """What came of a source: what the files hold, and the counts of the ``source`` by name."""

    labels: LabelCounts
    source: Mapping[str, float]
    outcomes: OutcomeCounts

    def write(self, directory: Path) -> LabelHarvest:
        """Write ``label_counts.json``, the last file of a harvest."""
        with complete(directory / LABEL_COUNTS) as file:
            file.write(json.dumps(asdict(self), indent=2) + "\n")
        return self
