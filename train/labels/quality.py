"""How good step labels are, against the true place of the first wrong step. Pure counting over records.

The truth comes from search.problems.curriculum, or from anybody who knows it. The score over solutions is that of
ProcessBench (arXiv 2412.06559): the share of solutions whose first wrong step, or its absence, is said exactly; F1 is the
harmonic mean of this share over solutions with an error and over those without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from search.data import LabelledSolution
from train.labels.first_error import first_error, labels_complete, says_wrong


@dataclass(frozen=True, slots=True)
class Quality:
    """Counts of labelled solutions and their steps.

    ``erroneous`` solutions truly have a wrong step, of which ``found`` have it at exactly this place by their labels;
    ``sound`` ones have none, of which ``cleared`` have none by their labels, all steps labelled. Labels of ``unsettled``
    solutions leave the place open, which is not finding it.

    Steps are looked at up to the true first wrong one, what comes after it is neither right nor wrong: ``hits`` wrong
    steps that are called wrong, ``false_alarms`` right steps that are called wrong, ``misses`` wrong steps that are
    not, for want of a label as well. ``completions`` and ``generated_tokens`` are what the labels cost.
    """

    erroneous: int = 0
    found: int = 0
    sound: int = 0
    cleared: int = 0
    unsettled: int = 0
    hits: int = 0
    false_alarms: int = 0
    misses: int = 0
    completions: int = 0
    generated_tokens: int = 0

    @property
    def solutions(self) -> int:
        return self.erroneous + self.sound

    def rates(self) -> dict[str, float | None]:
        """All shares and means by name; None where there is nothing to divide by.

        found 1 of 2 and cleared 3 of 4: accuracy 4/6, F1 2 * 0.5 * 0.75 / (0.5 + 0.75) = 0.6.
        """
        on_erroneous, on_sound = _share(self.found, self.erroneous), _share(self.cleared, self.sound)
        return {
            "accuracy": _share(self.found + self.cleared, self.solutions),
            "accuracy_erroneous": on_erroneous,
            "accuracy_sound": on_sound,
            "f1": None if on_erroneous is None or on_sound is None else _harmonic_mean(on_erroneous, on_sound),
            "precision": _share(self.hits, self.hits + self.false_alarms),
            "recall": _share(self.hits, self.hits + self.misses),
            "completions_each": _share(self.completions, self.solutions),
            "tokens_each": _share(self.generated_tokens, self.solutions),
        }

    def facts(self) -> dict[str, float | None]:
        """Counts and rates, as JSON has them."""
        return {**asdict(self), "solutions": self.solutions, **self.rates()}


def quality(labelled: Iterable[tuple[LabelledSolution, int | None]], threshold: float = 0.0) -> Quality:
    """The counts of labelled solutions, each with the true index of its first wrong step (None: all are right).

    ``threshold`` is that of train.labels.first_error. True place 2: labels (1, 1, -1) are found and one hit; (1, -1, -1) are
    not found, one false alarm and one hit; (1, -1) are not found, one false alarm and one miss.
    """
    tally = Counter[str]()
    for solution, truth in labelled:
        record = solution.record
        sure = labels_complete(record, threshold)
        said_so = sure and first_error(record, threshold) == truth
        called = [label is not None and says_wrong(label, record.scale, threshold) for label in record.labels]
        tally["unsettled"] += not sure
        tally["completions"] += solution.completions
        tally["generated_tokens"] += solution.cost.generated_tokens
        tally["false_alarms"] += sum(called[:truth])
        if truth is None:
            tally.update(sound=1, cleared=int(said_so))
        else:
            tally.update(erroneous=1, found=int(said_so))
            tally["hits" if called[truth : truth + 1] == [True] else "misses"] += 1
    return Quality(**tally)


COLUMNS = {
    "solutions": "solutions",
    "place right": "accuracy",
    "with error": "accuracy_erroneous",
    "without": "accuracy_sound",
    "F1": "f1",
    "precision": "precision",
    "recall": "recall",
    "completions": "completions_each",
    "tokens": "tokens_each",
}
COUNTED = {"solutions": 0, "completions_each": 1, "tokens_each": 0}  # decimals; all others are shares


def table(measured: Mapping[str, Quality]) -> str:
    """A Markdown table with a line for each kind of labels; completions and tokens are means over solutions."""
    lines = [f"| labels | {' | '.join(COLUMNS)} |", f"|---{'|---:' * len(COLUMNS)}|"]
    for name, one in measured.items():
        facts = one.facts()
        lines.append(f"| {name} | {' | '.join(_shown(key, facts[key]) for key in COLUMNS.values())} |")
    return "\n".join(lines)


def _shown(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.{COUNTED[key]}f}" if key in COUNTED else f"{100 * value:.1f} %"


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _harmonic_mean(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0
