"""The measures of an evaluation, one for each split and method, and their file ``evaluation.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from search.evaluation.confidence import Interval
from search.evaluation.readings import BEST, COVERAGE, MAJORITY, WEIGHTED
from search.serialization import load_value
from search.storage.files import write_text

EVALUATION = "evaluation.json"
METHODS = {"greedy": "greedy", "majority": "majority", "best_of_n": "best-of-N", "search": "search"}  # key -> title
TREE_READING_TITLES = {
    BEST: "best",
    WEIGHTED: "weighted",
    MAJORITY: "majority",
    COVERAGE: "any correct",
}  # key -> title


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One method on one split: accuracy in [0, 1] with its 95 % interval over ``n`` problems, and the cost of all.

    ``tokens`` are generated tokens. ``seconds`` are wall time. ``ties``: problems in which different answers were equally
    good by the reward model; between them best-of-N takes the mean over all orders, a search the first.
    """

    accuracy: float
    low: float
    high: float
    n: int
    tokens: int
    seconds: float = 0.0
    ties: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TreePoint:
    """What ``k`` trees a problem answer together: accuracy by each reading and coverage, and the generated tokens of a problem."""

    k: int
    tokens: float
    accuracies: Mapping[str, Interval]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeCurve:
    """Accuracies of a search by the number of trees, up to all ``trees`` that were grown for each problem.

    Those of fewer are expectations over all subsets. ``per_tree`` and ``top``: which solutions vote
    (``search.evaluation.tree_votes.VoteRule``).
    """

    trees: int
    per_tree: int
    top: int | None
    points: tuple[TreePoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The measures of one pair of models: split -> method -> measure. Votes and best-of-N use ``k`` samples a problem.

    ``margins``: split -> method -> by how much search exceeds that method on the same problems. ``trees``: split -> what the
    search answers with several trees a problem, where it grew several; its measure is then that of one of them.
    """

    round: int
    splits: dict[str, dict[str, Measure | None]]
    k: int = 8
    margins: dict[str, dict[str, Interval]] = field(default_factory=dict)
    trees: dict[str, TreeCurve] = field(default_factory=dict)

    def write(self, directory: Path) -> None:
        write_text(directory / EVALUATION, json.dumps(asdict(self), indent=1) + "\n")

    @staticmethod
    def read(path: Path) -> Evaluation:
        data = json.loads(path.read_text(encoding="utf-8"))
        splits = {
            split: {method: Measure(**values) if values else None for method, values in methods.items()}
            for split, methods in data["splits"].items()
        }
        margins = {
            split: {method: Interval(**values) for method, values in methods.items()}
            for split, methods in data.get("margins", {}).items()
        }
        trees = {split: load_value(TreeCurve, curve) for split, curve in data.get("trees", {}).items()}
        return Evaluation(round=data["round"], splits=splits, k=data.get("k", 8), margins=margins, trees=trees)
