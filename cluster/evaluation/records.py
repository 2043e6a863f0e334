"""Numbers of an evaluation: one measure a method and split, kept as ``evaluation.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from search.evaluation.confidence import Interval
from search.storage.files import write_atomic

EVALUATION = "evaluation.json"
METHODS = {"greedy": "greedy", "majority": "majority", "best_of_n": "PPM best-of", "search": "search"}


@dataclass(frozen=True, slots=True)
class Measure:
    """One method on one split: accuracy in [0, 1] with its 95 % interval on ``n`` problems, and what all of them cost.

    ``tokens`` are generated tokens; ``seconds`` wall time.
    """

    accuracy: float
    low: float
    high: float
    n: int
    tokens: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one pair of models reached: split -> method -> measure. ``k`` samples a problem stand behind the votes.

    ``leads``: split -> method -> how far search is above that method on the same problems.
    """

    round: int
    splits: dict[str, dict[str, Measure | None]]
    k: int = 8
    leads: dict[str, dict[str, Interval]] = field(default_factory=dict)

    def write(self, directory: Path) -> None:
        write_atomic(directory / EVALUATION, json.dumps(asdict(self), indent=1) + "\n")

    @staticmethod
    def read(path: Path) -> Evaluation:
        data = json.loads(path.read_text(encoding="utf-8"))
        splits = {
            split: {method: Measure(**values) if values else None for method, values in methods.items()}
            for split, methods in data["splits"].items()
        }
        leads = {
            split: {method: Interval(**values) for method, values in methods.items()}
            for split, methods in data.get("leads", {}).items()
        }
        return Evaluation(data["round"], splits, data.get("k", 8), leads)
