"""Choose the threshold below which a step is called incorrect, never on a problem that is measured.

The protocol is that of ProcessBench (search/evaluation/process_bench.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.evaluation import process_bench
from search.evaluation.process_bench import (
    ProcessRow,
    ProcessScore,
    ScoredSteps,
    choose_threshold,
    is_for_threshold,
    require_both_kinds,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A fixed ``value``; else one chosen on ``rows`` from ``source``; else one chosen on a share of the problems.

    ``tuning_share``: the share of the problems that choose the threshold and are not measured.
    """

    value: float | None = None
    rows: tuple[ProcessRow, ...] = ()
    source: str = ""
    tuning_share: float = 0.3

    def describe(self) -> str:
        """Return in words where the threshold comes from."""
        if self.value is not None:
            return "given"
        return f"chosen on {self.source}" if self.rows else f"chosen on {100 * self.tuning_share:.0f} % of the problems"


def measure(
    rows: Sequence[ProcessRow],
    scores: Sequence[ScoredSteps],
    threshold: Threshold,
    threshold_scores: Sequence[ScoredSteps],
) -> ProcessScore:
    """Return the protocol's numbers for ``rows`` with these ``scores``.

    ``threshold_scores``: the scores of the threshold's own rows, of which those of a measured problem are left out.
    Raises UserError where rows with an error, or rows without, are missing.
    """
    if threshold.value is not None:
        return process_bench.measure(scores, threshold.value)
    if threshold.rows:
        is_new = _is_other_problem(threshold.rows, rows)
        value = choose_threshold([score for score, new in zip(threshold_scores, is_new, strict=True) if new])
        return process_bench.measure(scores, value)
    is_tuning = [is_for_threshold(row, threshold.tuning_share) for row in rows]
    value = choose_threshold([score for score, tuning in zip(scores, is_tuning, strict=True) if tuning])
    return process_bench.measure([score for score, tuning in zip(scores, is_tuning, strict=True) if not tuning], value)


def check(rows: Sequence[ProcessRow], threshold: Threshold) -> None:
    """Raise UserError where ``measure`` would: if rows with an error, or rows without one, are missing."""
    if threshold.value is None and not threshold.rows:
        tuning = [row.label for row in rows if is_for_threshold(row, threshold.tuning_share)]
        require_both_kinds(
            tuning, f"the {100 * threshold.tuning_share:.0f} % of the problems that choose the threshold"
        )
        measured = [row.label for row in rows if not is_for_threshold(row, threshold.tuning_share)]
        require_both_kinds(measured, "the problems that are measured")
        return
    require_both_kinds([row.label for row in rows], "the solutions that are measured")
    if threshold.rows:
        is_new = _is_other_problem(threshold.rows, rows)
        labels = [row.label for row, new in zip(threshold.rows, is_new, strict=True) if new]
        require_both_kinds(labels, f"{threshold.source}, without problems that are measured")


def _is_other_problem(rows: Sequence[ProcessRow], measured: Sequence[ProcessRow]) -> list[bool]:
    """Return for each row whether its problem is none of the measured ones."""
    problems = {row.problem for row in measured}
    return [row.problem not in problems for row in rows]
