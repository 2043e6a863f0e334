"""All recipes on the built-in curriculum, over seeds: the results of docs/methods.md.

    python benchmarks/recipes.py runs/recipes                     every recipe, seeds 0, 1, 2: hours on two cores
    python benchmarks/recipes.py runs/recipes --only irpo star    some of them
    python benchmarks/recipes.py runs/recipes --read              the table of what is finished; runs nothing
    python benchmarks/recipes.py runs/dpo --only irpo --method.policy.objective=dpo      any field of the config

Runs `raystar evolve configs/recipes/NAME.yaml --seed N` into FOLDER/NAME-N; what is finished is not run again, what was
cut off goes on. The base policy is the same for all. One line a recipe, means over seeds; intervals are over problems,
each with its mean over the seeds. Ends with the same as JSON.
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

from benchmarks.commands import RECIPES, raystar
from benchmarks.runs import rights, shown
from cluster import summary
from cluster.summary import METHODS, RoundRecord
from search.intervals import Interval, mean_of_shares

SPLIT = "heldout"


def run(name: str, seed: int, folder: Path, fields: Sequence[str]) -> None:
    """One recipe from its beginning, or from where it was cut off; its output goes to a file beside the run."""
    where = folder.resolve() / f"{name}-{seed}"
    command = ["evolve", str(RECIPES / f"{name}.yaml"), "--seed", str(seed), *fields]
    raystar(command, where, where.with_suffix(".log"))


def finished(where: Path) -> bool:
    """The summary is the last thing that a run writes."""
    return (where / summary.SUMMARY).exists()


def result(roots: Sequence[Path]) -> dict[str, object]:
    """Accuracy by method, with the base's greedy one as "base"; tokens a problem by method; minutes of a run."""
    runs = {root.name: summary.rounds(root) for root in roots}
    pooled = rights(roots, runs, SPLIT)
    accuracy = {method: mean_of_shares(list(shares.values())) for method, shares in pooled.items()}
    return {
        "seeds": len(roots),
        "base": mean([records[0] for records in runs.values()]),
        "accuracy": {method: asdict(interval) for method, interval in accuracy.items()},
        "tokens": {method: tokens([records[-1] for records in runs.values()], method) for method in accuracy},
        "minutes": fmean(sum(record.seconds for record in records) / 60 for records in runs.values()),
    }


def mean(bases: Sequence[RoundRecord]) -> float:
    return fmean(base.evaluation.splits[SPLIT]["greedy"].accuracy for base in bases)  # type: ignore[union-attr]


def tokens(lasts: Sequence[RoundRecord], method: str) -> float:
    """Generated tokens a problem."""
    measures = [last.evaluation.splits[SPLIT][method] for last in lasts]  # type: ignore[union-attr]
    return fmean(measure.tokens / measure.n for measure in measures if measure)


def show(results: dict[str, dict[str, object]]) -> None:
    print(f"| recipe | seeds | base | {' | '.join(METHODS.values())} | minutes |")
    print("|---" * (4 + len(METHODS)) + "|")
    for name, row in results.items():
        cells = " | ".join(cell(row, method) for method in METHODS)
        print(f"| `{name}` | {row['seeds']} | {summary.percent(row['base'])} | {cells} | {row['minutes']:.1f} |")
    print(json.dumps(results))


def cell(row: dict[str, object], method: str) -> str:
    """Accuracy in percent, its interval, and generated tokens a problem."""
    if method not in row["accuracy"]:  # type: ignore[operator]
        return "–"
    return f"{shown(Interval(**row['accuracy'][method]))} {row['tokens'][method]:.0f}"  # type: ignore[index]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the runs are")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", default=sorted(path.stem for path in RECIPES.glob("*.yaml")))
    parser.add_argument("--read", action="store_true", help="show what is finished, run nothing")
    args, fields = parser.parse_known_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for seed in [] if args.read else args.seeds:
        for name in args.only:
            if not finished(args.folder / f"{name}-{seed}"):
                run(name, seed, args.folder, fields)
    results = {}
    for name in args.only:
        roots = [root for seed in args.seeds if finished(root := args.folder / f"{name}-{seed}")]
        if roots:
            results[name] = result(roots)
    show(results)


if __name__ == "__main__":
    main()
