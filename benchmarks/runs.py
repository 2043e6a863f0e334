"""Print the tables of README.md and docs/ from the directories of finished runs.

    raystar evolve CONFIG --seed 0 --run-dir runs/a-0 …    once for each seed
    python benchmarks/runs.py runs/a-0 runs/a-1 runs/a-2

For each run the base and the last round. Below them means over runs, and by how much search exceeds the other methods on
the same problems. These intervals are over problems, each with its mean over runs. The last line is the same as JSON. Runs
nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster.evaluation.accuracy import margins
from cluster.evaluation.evaluate import PROBLEM_ACCURACIES
from cluster.evaluation.records import METHODS, Measure
from cluster.formatting import format_difference, format_percent
from cluster.report import summary
from cluster.report.summary import RoundRecord
from search.evaluation.confidence import Interval, mean_of_shares

Accuracies = dict[str, dict[str, float]]  # method -> problem id -> accuracy


def show(roots: Sequence[Path]) -> None:
    """Print a table for each split, then JSON."""
    runs = {root.name: summary.read_rounds(root) for root in roots}
    splits = list(next(iter(runs.values()))[-1].evaluation.splits)  # type: ignore[union-attr]
    results: dict[str, dict[str, object]] = {}
    for split in splits:
        print(f"\n{split}: accuracy in % [95 %], generated tokens a problem\n")
        print(f"| run | minutes | {' | '.join(METHODS.values())} |")
        print("|---" * (2 + len(METHODS)) + "|")
        for name, records in runs.items():
            for record in (records[0], records[-1]):
                title = "base" if record.round == 0 else f"round {record.round}"
                print(f"| {name}, {title} | {format_cells(record, records, split)} |")
        accuracies = mean_accuracies(roots, runs, split)
        means = {method: mean_of_shares(list(by_problem.values())) for method, by_problem in accuracies.items()}
        print(f"| all, last round | | {' | '.join(format_interval(means.get(method)) for method in METHODS)} |")
        search_margins = margins(accuracies)
        for method, margin in search_margins.items():
            print(f"\nsearch {format_difference(margin)} points over {METHODS[method]}")
        results[split] = {
            "accuracy": {method: asdict(interval) for method, interval in means.items()},
            "search_over": {method: asdict(margin) for method, margin in search_margins.items()},
        }
    print(json.dumps(results))


def format_cells(record: RoundRecord, records: Sequence[RoundRecord], split: str) -> str:
    """Return the minutes of all stages up to the round, then each method."""
    minutes = sum(earlier.seconds for earlier in records if earlier.round <= record.round) / 60
    measures = record.evaluation.splits[split] if record.evaluation else {}
    return " | ".join([f"{minutes:.1f}", *(format_measure(measures.get(method)) for method in METHODS)])


def format_measure(measure: Measure | None) -> str:
    if measure is None:
        return "–"
    interval = Interval(mean=measure.accuracy, low=measure.low, high=measure.high, n=measure.n)
    return f"{format_interval(interval)} {measure.tokens / measure.n:.0f}"


def format_interval(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    mean, low, high = map(format_percent, (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]"


def mean_accuracies(roots: Sequence[Path], runs: dict[str, tuple[RoundRecord, ...]], split: str) -> Accuracies:
    """Return each problem's mean accuracy over the runs' last rounds, since seeds are no independent problems."""
    files = [root / f"rounds/r{runs[root.name][-1].round}/evaluate" / PROBLEM_ACCURACIES for root in roots]
    by_run = [json.loads(file.read_text(encoding="utf-8"))[split] for file in files]
    return {
        method: {problem_id: fmean(run[method][problem_id] for run in by_run) for problem_id in by_run[0][method]}
        for method in by_run[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN_DIR", help="finished runs of raystar evolve")
    show(parser.parse_args().runs)


if __name__ == "__main__":
    main()
