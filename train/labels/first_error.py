"""What step labels say about the place of the first error, whatever their scale. Pure functions over one record.

A label says "wrong" at -1 with signs; else where its share of right, (1 + q) / 2 for a value q, is at most a threshold.
With the threshold 0 a step is right if any continuation of it is: the hard estimation of Math-Shepherd (arXiv
2312.08935).
"""

from __future__ import annotations

from dataclasses import replace

from search.data import LabelScale, StepLabels


def says_wrong(label: float, scale: LabelScale, threshold: float = 0.0) -> bool:
    """Whether a label calls its step wrong. A neutral sign does not."""
    if scale is LabelScale.SIGN:
        return label == -1
    return (label if scale is LabelScale.SHARE else (1 + label) / 2) <= threshold


def first_error(record: StepLabels, threshold: float = 0.0) -> int | None:
    """Index of the first step that is called wrong, None where none is."""
    for index, label in enumerate(record.labels):
        if label is not None and says_wrong(label, record.scale, threshold):
            return index
    return None


def labels_complete(record: StepLabels, threshold: float = 0.0) -> bool:
    """Whether the labels leave no doubt about the place: all steps have one, or all up to the first that is wrong."""
    error = first_error(record, threshold)
    needed = len(record.steps) if error is None else error + 1
    return len(record.labels) >= needed > 0 and None not in record.labels[:needed]


def hard(record: StepLabels, threshold: float = 0.0) -> StepLabels:
    """The same labels as signs, 1 and -1; signs stay as they are."""
    if record.scale is LabelScale.SIGN:
        return record
    signs = (None if x is None else -1.0 if says_wrong(x, record.scale, threshold) else 1.0 for x in record.labels)
    return replace(record, labels=tuple(signs), scale=LabelScale.SIGN)
