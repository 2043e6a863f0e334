"""Find the first error that step labels see, whatever their scale.

A label calls its step incorrect at -1 on the scale SIGN. On other scales it does if its share of correct, (1 + q) / 2 for
a value q, is at most a threshold. With the threshold 0 a step is correct if any continuation of it is: the hard estimation
of Math-Shepherd (arXiv 2312.08935).
"""

from __future__ import annotations

from dataclasses import replace

from search.data import LabelScale, StepLabels


def is_incorrect(label: float, scale: LabelScale, threshold: float = 0.0) -> bool:
    """Return True if a label calls its step incorrect. A neutral sign does not."""
    if scale is LabelScale.SIGN:
        return label == -1
    return (label if scale is LabelScale.SHARE else (1 + label) / 2) <= threshold


def first_error(record: StepLabels, threshold: float = 0.0) -> int | None:
    """Return the index of the first step that is called incorrect, None if there is none."""
    for index, label in enumerate(record.labels):
        if label is not None and is_incorrect(label, record.scale, threshold):
            return index
    return None


def labels_complete(record: StepLabels, threshold: float = 0.0) -> bool:
    """Return True if the labels determine the first error: all steps have one, or all up to the first incorrect one."""
    error = first_error(record, threshold)
    needed = len(record.steps) if error is None else error + 1
    return len(record.labels) >= needed > 0 and None not in record.labels[:needed]


def to_hard_labels(record: StepLabels, threshold: float = 0.0) -> StepLabels:
    """Return the same labels as signs, 1 and -1; signs stay as they are."""
    if record.scale is LabelScale.SIGN:
        return record
    signs = (None if x is None else -1.0 if is_incorrect(x, record.scale, threshold) else 1.0 for x in record.labels)
    return replace(record, labels=tuple(signs), scale=LabelScale.SIGN)


def infer_correct(record: StepLabels) -> StepLabels:
    """Return signs in which every step without a label that comes before a correct one is correct too.

    The answer was reached from the later step, so it can be reached from the earlier one.
    (None, 1, None, 1, -1, None) → (1, 1, 1, 1, -1, None).
    """
    last = max((place for place, label in enumerate(record.labels) if label == 1), default=-1)
    labels = (1.0 if label is None and place < last else label for place, label in enumerate(record.labels))
    return replace(record, labels=tuple(labels))
