"""What a step's label says as a class and as a value. Knows the scales of labels; no tokens and no loss."""

from __future__ import annotations

from search.data import LabelScale, StepLabels

Labels = list[tuple[float, ...] | None]  # None for a step without a label; the last one has one


def classes(record: StepLabels) -> Labels:
    """Shares of right, neutral and wrong, a step, up to and including the first step that a person called wrong.

    Let's Verify Step by Step, section 2.6, supervises no further than that. Soft labels have no such end: each is the
    share of right, the rest wrong; a value q is taken as the share (1 + q) / 2.
    """
    if record.scale is not LabelScale.SIGN:
        return [value and ((1 + value[0]) / 2, 0.0, (1 - value[0]) / 2) for value in values(record)]
    signs = record.labels
    learnt = signs[: signs.index(-1.0) + 1] if -1.0 in signs else signs
    return _trimmed([None if s is None else (float(s == 1), float(s == 0), float(s == -1)) for s in learnt])


def values(record: StepLabels) -> Labels:
    """One value in [-1, 1] a step, for every label: Q itself, 2 * share - 1, or the sign."""
    if record.scale is LabelScale.SHARE:
        return _trimmed([None if label is None else (2.0 * label - 1.0,) for label in record.labels])
    return _trimmed([None if label is None else (float(label),) for label in record.labels])


def _trimmed(labels: Labels) -> Labels:
    """Without the steps after the last label."""
    while labels and labels[-1] is None:
        labels.pop()
    return labels
