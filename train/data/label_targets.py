"""Convert step labels to classes and to values, the targets of PRM and Q-regression."""

from __future__ import annotations

from search.data import LabelScale, StepLabels

StepTargets = list[tuple[float, ...] | None]  # None for a step without a label; the last one has one


def classes(record: StepLabels) -> StepTargets:
    """Return shares of correct, neutral and incorrect, a step, up to and including the first step with the sign -1.

    Let's Verify Step by Step, section 2.6, supervises no further than that. Soft labels have no such end: each is the
    share of correct, the rest incorrect; a value q is taken as the share (1 + q) / 2.
    """
    if record.scale is not LabelScale.SIGN:
        return [value and ((1 + value[0]) / 2, 0.0, (1 - value[0]) / 2) for value in values(record)]
    signs = record.labels
    supervised = signs[: signs.index(-1.0) + 1] if -1.0 in signs else signs
    return _trim([None if s is None else (float(s == 1), float(s == 0), float(s == -1)) for s in supervised])


def values(record: StepLabels) -> StepTargets:
    """Return one value in [-1, 1] a step, for every label: Q itself, 2 * share - 1, or the sign."""
    if record.scale is LabelScale.SHARE:
        return _trim([None if label is None else (2.0 * label - 1.0,) for label in record.labels])
    return _trim([None if label is None else (float(label),) for label in record.labels])


def _trim(targets: StepTargets) -> StepTargets:
    """Drop the steps after the last label."""
    while targets and targets[-1] is None:
        targets.pop()
    return targets
