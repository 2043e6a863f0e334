"""Labels of two sources of the same solutions, kept where both see the first error at the same place.

The filter of Qwen's process reward models (arXiv 2501.07301): Monte-Carlo labels and a judge's. Knows records only; who
the judge is does not matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from search.data import StepLabels, Trajectory
from train.labels.first_error import first_error, labels_complete


@dataclass(frozen=True, slots=True)
class ConsensusCounts:
    """What became of ``solutions``.

    Kept: those that ``agreed_right`` (neither sees an error) or ``agreed_wrong`` (both see it at the same step). Left
    out: ``apart`` (at different steps, or only one sees any), ``unsettled`` (the labels of one leave the place open) and
    ``unjudged`` (the judge has no labels of this solution).
    """

    solutions: int = 0
    agreed_right: int = 0
    agreed_wrong: int = 0
    apart: int = 0
    unsettled: int = 0
    unjudged: int = 0


def consensus(
    records: Iterable[StepLabels], judged: Iterable[StepLabels], threshold: float = 0.0, judge_threshold: float = 0.0
) -> tuple[list[StepLabels], ConsensusCounts]:
    """The records on whose first error the judge agrees, unchanged and in their order, and the counts.

    Solutions meet by the problem's id and the texts of all their steps. Of several judgements of one solution the first
    counts. The thresholds are those of train.labels.first_error, of either side.
    """
    judgements: dict[tuple[str, ...], StepLabels] = {}
    for judgement in judged:
        judgements.setdefault(solution_key(judgement), judgement)
    kept, tally = [], Counter[str]()
    for record in records:
        fate = _fate(record, judgements.get(solution_key(record)), threshold, judge_threshold)
        tally.update((fate, "solutions"))
        if fate.startswith("agreed"):
            kept.append(record)
    return kept, ConsensusCounts(**tally)


def solution_key(record: StepLabels | Trajectory) -> tuple[str, ...]:
    """By what records of one solution are known to each other: the problem's id and the texts of all steps."""
    return (record.problem.id, *(step.text for step in record.steps))


def _fate(record: StepLabels, judgement: StepLabels | None, threshold: float, judge_threshold: float) -> str:
    if judgement is None:
        return "unjudged"
    if not (labels_complete(record, threshold) and labels_complete(judgement, judge_threshold)):
        return "unsettled"
    place = first_error(record, threshold)
    if place != first_error(judgement, judge_threshold):
        return "apart"
    return "agreed_right" if place is None else "agreed_wrong"
