"""Finished runs side by side, over seeds: the tables of README.md and docs/, from run directories.

    raystar evolve CONFIG --seed 0 --run-dir runs/a-0 …    once a seed
    python benchmarks/runs.py runs/a-0 runs/a-1 runs/a-2

For each run base and last round; below, means over runs, and how far search is above the other methods on the same
problems. Intervals there are over problems, each with its mean over the runs. Ends with the same as JSON. Runs nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster.evaluation.accuracy import leads
from cluster.evaluation.evaluate import RIGHT
from cluster.evaluation.records import METHODS, Measure
from cluster.report import summary
from cluster.report.summary import RoundRecord
from search.evaluation.confidence import Interval, mean_of_shares

Rights = dict[str, dict[str, float]]  # method -> problem id -> how much of it was got right


def main(roots: Sequence[Path]) -> None:
    runs = {root.name: summary.rounds(root) for root in roots}
    splits = list(next(iter(runs.values()))[-1].evaluation.splits)  # type: ignore[union-attr]
    found: dict[str, dict[str, object]] = {}
    for split in splits:
        print(f"\n{split}: accuracy in % [95 %], generated tokens a problem\n")
        print(f"| run | minutes | {' | '.join(METHODS.values())} |")
        print("|---" * (2 + len(METHODS)) + "|")
        for name, records in runs.items():
            for record in (records[0], records[-1]):
                print(
                    f"| {name}, {'base' if record.round == 0 else f'round {record.round}'} | {cells(record, records, split)} |"
                )
        pooled = rights(roots, runs, split)
        means = {method: mean_of_shares(list(shares.values())) for method, shares in pooled.items()}
        print(f"| all, last round | | {' | '.join(shown(means.get(method)) for method in METHODS)} |")
        over = leads(pooled)
        for method, interval in over.items():
            print(f"\nsearch {summary.points(interval)} points over {METHODS[method]}")
        found[split] = {
            "accuracy": {method: asdict(interval) for method, interval in means.items()},
            "search_over": {method: asdict(interval) for method, interval in over.items()},
        }
    print(json.dumps(found))


def cells(record: RoundRecord, records: Sequence[RoundRecord], split: str) -> str:
    """Minutes of all stages up to the round, then each method."""
    minutes = sum(one.seconds for one in records if one.round <= record.round) / 60
    measures = record.evaluation.splits[split] if record.evaluation else {}
    return " | ".join([f"{minutes:.1f}", *(measured(measures.get(method)) for method in METHODS)])


def measured(measure: Measure | None) -> str:
    if measure is None:
        return "–"
    return f"{shown(Interval(measure.accuracy, measure.low, measure.high, measure.n))} {measure.tokens / measure.n:.0f}"


def shown(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    mean, low, high = map(summary.percent, (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]"


def rights(roots: Sequence[Path], runs: dict[str, tuple[RoundRecord, ...]], split: str) -> Rights:
    """What the last rounds got right, the mean over runs of each problem: seeds are no independent problems."""
    files = [root / f"rounds/r{runs[root.name][-1].round}/evaluate" / RIGHT for root in roots]
    kept = [json.loads(file.read_text(encoding="utf-8"))[split] for file in files]
    return {method: {name: fmean(one[method][name] for one in kept) for name in kept[0][method]} for method in kept[0]}


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python benchmarks/runs.py RUN_DIR …")
    main([Path(argument) for argument in sys.argv[1:]])
