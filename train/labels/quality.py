"""Measure step labels against the true place of the first error.

The score over solutions is that of ProcessBench (arXiv 2412.06559): the share of solutions whose first error, or its
absence, is labelled exactly. F1 is the harmonic mean of this share over erroneous solutions and over error-free ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from search.data import LabelledSolution
from train.labels.first_error import first_error, is_incorrect, labels_complete


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Counts of labelled solutions and their steps.

    ``erroneous`` solutions have an incorrect step, which in ``erroneous_matched`` of them is exactly the first error by the
    labels. ``error_free`` ones have none, and ``error_free_matched`` of them have none by their labels, all steps
    labelled. Labels of ``incomplete`` solutions leave the place open, which is no match.

    Steps count up to the true first error; what comes after it is neither correct nor incorrect. ``true_positives``:
    incorrect steps labelled incorrect. ``false_positives``: correct steps labelled incorrect. ``false_negatives``:
    incorrect steps that are not, for want of a label as well. ``completions`` and ``generated_tokens``: cost of the
    labels.
    """

    erroneous: int = 0
    erroneous_matched: int = 0
    error_free: int = 0
    error_free_matched: int = 0
    incomplete: int = 0
    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0
    completions: int = 0
    generated_tokens: int = 0

    @property
    def solutions(self) -> int:
        return self.erroneous + self.error_free

    def rates(self) -> dict[str, float | None]:
        """Return all shares and means by name; None where there is nothing to divide by.

        Matched 1 of 2 erroneous and 3 of 4 error-free: accuracy 4/6, F1 2 * 0.5 * 0.75 / (0.5 + 0.75) = 0.6.
        """
        on_erroneous = _ratio(self.erroneous_matched, self.erroneous)
        on_error_free = _ratio(self.error_free_matched, self.error_free)
        return {
            "accuracy": _ratio(self.erroneous_matched + self.error_free_matched, self.solutions),
            "accuracy_erroneous": on_erroneous,
            "accuracy_error_free": on_error_free,
            "f1": None
            if on_erroneous is None or on_error_free is None
            else _harmonic_mean(on_erroneous, on_error_free),
            "precision": _ratio(self.true_positives, self.true_positives + self.false_positives),
            "recall": _ratio(self.true_positives, self.true_positives + self.false_negatives),
            "completions_each": _ratio(self.completions, self.solutions),
            "tokens_each": _ratio(self.generated_tokens, self.solutions),
        }

    def to_json(self) -> dict[str, float | None]:
        """Return counts and rates by name."""
        return {**asdict(self), "solutions": self.solutions, **self.rates()}


def measure_quality(labelled: Iterable[tuple[LabelledSolution, int | None]], threshold: float = 0.0) -> Quality:
    """Count labelled solutions, each with the true index of its first error (None: all steps are correct).

    ``threshold`` is that of ``train.labels.first_error``. True place 2: labels (1, 1, -1) are a match and one true
    positive; (1, -1, -1) are no match, one false positive and one true positive; (1, -1) are no match, one false positive
    and one false negative.
    """
    tally = Counter[str]()
    for solution, truth in labelled:
        record = solution.record
        is_complete = labels_complete(record, threshold)
        matched = is_complete and first_error(record, threshold) == truth
        flagged = [label is not None and is_incorrect(label, record.scale, threshold) for label in record.labels]
        tally["incomplete"] += not is_complete
        tally["completions"] += solution.completions
        tally["generated_tokens"] += solution.cost.generated_tokens
        tally["false_positives"] += sum(flagged[:truth])
        if truth is None:
            tally.update(error_free=1, error_free_matched=int(matched))
        else:
            tally.update(erroneous=1, erroneous_matched=int(matched))
            tally["true_positives" if flagged[truth : truth + 1] == [True] else "false_negatives"] += 1
    return Quality(**tally)


COLUMNS = {
    "solutions": "solutions",
    "place exact": "accuracy",
    "with error": "accuracy_erroneous",
    "without": "accuracy_error_free",
    "F1": "f1",
    "precision": "precision",
    "recall": "recall",
    "completions": "completions_each",
    "tokens": "tokens_each",
}
DECIMALS = {"solutions": 0, "completions_each": 1, "tokens_each": 0}  # all other columns are shares, in percent


def quality_table(qualities: Mapping[str, Quality]) -> str:
    """Return a Markdown table with a line for each kind of labels; completions and tokens are means over solutions."""
    lines = [f"| labels | {' | '.join(COLUMNS)} |", f"|---{'|---:' * len(COLUMNS)}|"]
    for name, quality in qualities.items():
        values = quality.to_json()
        lines.append(f"| {name} | {' | '.join(_format(key, values[key]) for key in COLUMNS.values())} |")
    return "\n".join(lines)


def _format(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.{DECIMALS[key]}f}" if key in DECIMALS else f"{100 * value:.1f} %"


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _harmonic_mean(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0
