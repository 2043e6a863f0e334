"""Finished comparisons side by side, over the seeds of their models: the tables of README.md and docs/.

    raystar compare CONFIG --policy … --ppm … --split heldout --run-dir runs/compare-0 …    once a model
    python benchmarks/comparisons.py runs/compare-0 runs/compare-1 runs/compare-2

One line a strategy and budget: accuracy, how far it is from the strategy compared with, and what it cost. Intervals are
over problems, each with its mean over the runs. Ends with the same as JSON. Runs nothing.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster.run_dir import DONE
from search.intervals import Interval, mean_of_shares, paired_difference

AGAINST = "best_of"

Cells = dict[int, dict[str, list[dict[str, Any]]]]  # budget -> strategy -> facts of its searches


def read(roots: Sequence[Path]) -> Cells:
    """The facts of all searches that are complete."""
    cells: Cells = defaultdict(lambda: defaultdict(list))
    for root in roots:
        for done in sorted((root / "rounds" / "compare").glob(f"*/*/{DONE}")):
            strategy, budget = done.parent.parent.name, int(done.parent.name.split("-")[0])
            cells[budget][strategy].append(json.loads(done.read_text(encoding="utf-8")))
    return cells


def shares(facts: Sequence[dict[str, Any]]) -> list[float]:
    """For each problem the share of searches that had it right."""
    return [fmean(right) for right in zip(*(one["right"] for one in facts), strict=True)]


def shown(interval: Interval, sign: str = "") -> str:
    mean, low, high = (f"{100 * value:{sign}.1f}" for value in (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]"


def main(roots: Sequence[Path]) -> None:
    found = []
    print("| tokens | strategy | accuracy, % | over best-of-N, points | each run | tokens a problem | s a problem |")
    print("|---" * 7 + "|")
    for budget, strategies in sorted(read(roots).items()):
        for name, facts in strategies.items():
            right = shares(facts)
            accuracy, difference = mean_of_shares(right), paired_difference(right, shares(strategies[AGAINST]))
            runs = [fmean(one["right"]) for one in facts]
            tokens, seconds = (fmean(one[key] for one in facts) / len(right) for key in ("tokens", "searching"))
            print(
                f"| {budget} | {name} | {shown(accuracy)} | {shown(difference, '+')} |"
                f" {', '.join(f'{100 * run:.1f}' for run in runs)} | {tokens:.0f} | {seconds:.2f} |"
            )
            found.append(
                {
                    "budget": budget,
                    "strategy": name,
                    "accuracy": asdict(accuracy),
                    "over_best_of": asdict(difference),
                    "runs": runs,
                    "tokens": tokens,
                    "seconds": seconds,
                }
            )
    print(json.dumps(found))


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    main([Path(argument) for argument in sys.argv[1:]])
