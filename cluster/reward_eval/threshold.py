"""The threshold below which a step is called wrong, and where it comes from: never from a problem that is measured.

Pure; the protocol itself is search/evaluation/process_bench.py's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.evaluation import process_bench
from search.evaluation.process_bench import (
    JudgedSteps,
    ProcessRow,
    ProcessScore,
    choose_threshold,
    chooses,
    require_both,
)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A value that was given; else chosen on ``rows`` of its own from ``source``; else on a ``part`` of the problems.

    ``part``: share of the problems that choose it and are not measured.
    """

    value: float | None = None
    rows: tuple[ProcessRow, ...] = ()
    source: str = ""
    part: float = 0.3

    def told(self) -> str:
        """In words, for whoever reads the result."""
        if self.value is not None:
            return "given"
        return f"chosen on {self.source}" if self.rows else f"chosen on {100 * self.part:.0f} % of the problems"


def measured(
    rows: Sequence[ProcessRow], judged: Sequence[JudgedSteps], threshold: Threshold, choosing: Sequence[JudgedSteps]
) -> ProcessScore:
    """The protocol's numbers for ``rows``, judged one by one; ``choosing`` are the threshold's own rows, judged.

    Rows of a problem that is measured do not choose. UserError where rows of one kind are missing.
    """
    if threshold.value is not None:
        return process_bench.measure(judged, threshold.value)
    if threshold.rows:
        own = _strange(threshold.rows, rows)
        return process_bench.measure(
            judged, choose_threshold([one for one, new in zip(choosing, own, strict=True) if new])
        )
    first = [chooses(row, threshold.part) for row in rows]
    value = choose_threshold([one for one, chosen in zip(judged, first, strict=True) if chosen])
    return process_bench.measure([one for one, chosen in zip(judged, first, strict=True) if not chosen], value)


def check(rows: Sequence[ProcessRow], threshold: Threshold) -> None:
    """Raise UserError where ``measured`` would, for want of rows of one kind."""
    if threshold.value is None and not threshold.rows:
        first = [row.label for row in rows if chooses(row, threshold.part)]
        require_both(first, f"the {100 * threshold.part:.0f} % of the problems that choose the threshold")
        require_both([row.label for row in rows if not chooses(row, threshold.part)], "the problems that are measured")
        return
    require_both([row.label for row in rows], "the solutions that are measured")
    if threshold.rows:
        own = _strange(threshold.rows, rows)
        labels = [row.label for row, new in zip(threshold.rows, own, strict=True) if new]
        require_both(labels, f"{threshold.source}, without problems that are measured")


def _strange(rows: Sequence[ProcessRow], measured: Sequence[ProcessRow]) -> list[bool]:
    """For each row whether its problem is none of the measured ones."""
    problems = {row.problem for row in measured}
    return [row.problem not in problems for row in rows]
