"""All recipes on the built-in curriculum, over seeds: the results of docs/methods.md.

    python benchmarks/recipes.py runs/recipes                     every recipe, seeds 0, 1, 2: hours on two cores
    python benchmarks/recipes.py runs/recipes --only irpo star    some of them
    python benchmarks/recipes.py runs/recipes --read              the table of what is finished; runs nothing
    python benchmarks/recipes.py runs/dpo --only irpo --method.policy.objective=dpo      any field of the config

Runs `raystar evolve configs/recipes/NAME.yaml --seed N` into FOLDER/NAME-N; what was cut off goes on. What a finished run
found is kept in docs/results/recipes.jsonl (`--results FILE` for another file), and what stands there is not run again. The
base policy is the same for all seeds. One line a recipe, means over seeds; intervals are over problems, each with its mean
over the seeds. Ends with the same as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import kept
from benchmarks.commands import RECIPES, ROOT, raystar
from benchmarks.kept import Kept, pooled
from benchmarks.runs import shown
from cluster.evaluation.records import METHODS
from cluster.report import summary
from search.evaluation.confidence import Interval, mean_of_shares

SPLIT = "heldout"
RESULTS = ROOT / "docs" / "results" / "recipes.jsonl"


def run(name: str, seed: int, folder: Path, fields: Sequence[str]) -> Path:
    """One recipe from its beginning, or from where it was cut off; its output goes to a file beside the run."""
    folder.mkdir(parents=True, exist_ok=True)
    where = folder.resolve() / f"{name}-{seed}"
    command = ["evolve", str(RECIPES / f"{name}.yaml"), "--seed", str(seed), *fields]
    raystar(command, where, where.with_suffix(".log"))
    return where


def result(runs: Sequence[Kept]) -> dict[str, object]:
    """Accuracy by method, with the base's greedy one as "base"; tokens a problem by method; minutes of a run
    that had the machine for itself."""
    alone = [run.minutes for run in runs if run.minutes is not None]
    accuracy = {method: mean_of_shares(shares) for method, shares in pooled(runs).items()}
    return {
        "seeds": len(runs),
        "base": fmean(run.base for run in runs),
        "accuracy": {method: asdict(interval) for method, interval in accuracy.items()},
        "tokens": {method: fmean(run.tokens[method] for run in runs) for method in accuracy},
        "minutes": fmean(alone) if alone else None,
        "commits": sorted({run.commit for run in runs}),
        "machines": sorted({run.machine for run in runs}),
    }


def show(results: dict[str, dict[str, object]]) -> None:
    print(f"| recipe | seeds | base | {' | '.join(METHODS.values())} | minutes |")
    print("|---" * (4 + len(METHODS)) + "|")
    for name, row in results.items():
        cells = " | ".join(cell(row, method) for method in METHODS)
        minutes = "–" if row["minutes"] is None else f"{row['minutes']:.1f}"
        print(f"| `{name}` | {row['seeds']} | {summary.percent(row['base'])} | {cells} | {minutes} |")
    print(json.dumps(results))


def cell(row: dict[str, object], method: str) -> str:
    """Accuracy in percent, its interval, and generated tokens a problem."""
    if method not in row["accuracy"]:  # type: ignore[operator]
        return "–"
    return f"{shown(Interval(**row['accuracy'][method]))} {row['tokens'][method]:.0f}"  # type: ignore[index]


def measure(
    names: Sequence[str], seeds: Sequence[int], folder: Path, file: Path, fields: Sequence[str] = (), at_once: int = 1
) -> None:
    """Run the recipes with these seeds and changed fields, but not what the file has, and keep there what they found."""
    known = {one.name for one in kept.read(file)}
    missing = [(name, seed) for seed in seeds for name in names if (name, seed, tuple(fields)) not in known]
    pool = ThreadPoolExecutor(at_once)
    try:
        for done in as_completed([pool.submit(finished, name, seed, folder, fields) for name, seed in missing]):
            if found := done.result():
                kept.keep(file, found if at_once == 1 else replace(found, minutes=None))
    finally:
        pool.shutdown(cancel_futures=True)  # or Ctrl-C would go on with the next run


def finished(name: str, seed: int, folder: Path, fields: Sequence[str]) -> Kept | None:
    """What a run found; None where it failed."""
    root = run(name, seed, folder, fields)
    ended = (root / summary.SUMMARY).exists()  # the last thing that a run writes
    return kept.of_run(root, name, seed, fields, SPLIT) if ended else None


def read(name: str, seeds: Sequence[int], file: Path, fields: Sequence[str] = ()) -> list[Kept]:
    """A recipe's runs with these seeds and changed fields, of those that the file has."""
    return [one for one in kept.read(file) if (one.recipe, one.fields) == (name, tuple(fields)) and one.seed in seeds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the runs are")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", default=sorted(path.stem for path in RECIPES.glob("*.yaml")))
    parser.add_argument("--results", type=Path, default=RESULTS, help="file that finished runs are kept in")
    parser.add_argument("--at-once", type=int, default=1, help="runs side by side: sooner done, their minutes not kept")
    parser.add_argument("--read", action="store_true", help="show what is kept, run nothing")
    args, fields = parser.parse_known_args()
    if not args.read:
        measure(args.only, args.seeds, args.folder, args.results, fields, args.at_once)
    found = {name: read(name, args.seeds, args.results, fields) for name in args.only}
    show({name: result(runs) for name, runs in found.items() if runs})


if __name__ == "__main__":
    main()
