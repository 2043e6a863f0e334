"""Keep labels on whose first error a second source agrees.

The filter of Qwen's process reward models (arXiv 2501.07301): Monte-Carlo labels and those of a judge, which may be an
LLM or a reward model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from search.data import StepLabels, Trajectory
from train.labels.first_error import first_error, labels_complete


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsensusCounts:
    """Counts of the ``solutions`` by what became of them.

    Kept: ``agreed_error_free`` (neither source sees an error) and ``agreed_erroneous`` (both see it at the same step).
    Left out: ``disagreed`` (at different steps, or only one sees any), ``incomplete`` (the labels of one leave the place
    open) and ``unjudged`` (the judge has no labels of this solution).
    """

    solutions: int = 0
    agreed_error_free: int = 0
    agreed_erroneous: int = 0
    disagreed: int = 0
    incomplete: int = 0
    unjudged: int = 0


def filter_by_consensus(
    records: Iterable[StepLabels], judged: Iterable[StepLabels], threshold: float = 0.0, judge_threshold: float = 0.0
) -> tuple[list[StepLabels], ConsensusCounts]:
    """Return the records on whose first error the judge agrees, unchanged and in their order, and the counts.

    Solutions are matched by the problem's id and the texts of all their steps. Of several judgements of one solution the
    first counts. The thresholds are those of ``train.labels.first_error``, of either side.
    """
    judgements: dict[tuple[str, ...], StepLabels] = {}
    for judgement in judged:
        judgements.setdefault(solution_key(judgement), judgement)
    kept, tally = [], Counter[str]()
    for record in records:
        verdict = _compare(record, judgements.get(solution_key(record)), threshold, judge_threshold)
        tally.update((verdict, "solutions"))
        if verdict.startswith("agreed"):
            kept.append(record)
    return kept, ConsensusCounts(**tally)


def solution_key(record: StepLabels | Trajectory) -> tuple[str, ...]:
    """Return the key by which records of one solution are matched: the problem's id and the texts of all steps."""
    return (record.problem.id, *(step.text for step in record.steps))


def _compare(record: StepLabels, judgement: StepLabels | None, threshold: float, judge_threshold: float) -> str:
    if judgement is None:
        return "unjudged"
    if not (labels_complete(record, threshold) and labels_complete(judgement, judge_threshold)):
        return "incomplete"
    place = first_error(record, threshold)
    if place != first_error(judgement, judge_threshold):
        return "disagreed"
    return "agreed_error_free" if place is None else "agreed_erroneous"
