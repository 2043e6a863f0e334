"""Run all recipes on the built-in curriculum over seeds and print the results of docs/methods.md.

    python benchmarks/recipes.py runs/recipes                     every recipe, seeds 0, 1, 2: hours on two cores
    python benchmarks/recipes.py runs/recipes --only irpo star    some of them
    python benchmarks/recipes.py runs/recipes --read              the table of what is finished; runs nothing
    python benchmarks/recipes.py runs/dpo --only irpo --method.policy.objective=dpo      any field of the config

Runs `raystar evolve configs/recipes/NAME.yaml --seed N` into FOLDER/NAME-N; an interrupted run continues. The result of a
finished run is added to docs/results/recipes.jsonl (`--results FILE` for another file), and what is there is not run again.
The base policy is the same for all seeds. One line per recipe, means over seeds. Intervals are over problems, each with its
mean over seeds. The last line is the same as JSON.
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

from benchmarks import recipe_results, result_files
from benchmarks.commands import RECIPES, ROOT, run_raystar
from benchmarks.recipe_results import RecipeResult, mean_over_runs
from benchmarks.runs import format_interval
from cluster.evaluation.records import METHODS
from cluster.formatting import format_percent
from cluster.report import summary
from search.evaluation.confidence import Interval, mean_of_shares

SPLIT = "heldout"
RESULTS = ROOT / "docs" / "results" / "recipes.jsonl"


def run_recipe(name: str, seed: int, folder: Path, overrides: Sequence[str]) -> Path:
    """Run or continue one recipe and return its run directory. The output goes to a file beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    run_dir = folder.resolve() / f"{name}-{seed}"
    command = ["evolve", str(RECIPES / f"{name}.yaml"), "--seed", str(seed), *overrides]
    run_raystar(command, run_dir, run_dir.with_suffix(".log"))
    return run_dir


def summarise(runs: Sequence[RecipeResult]) -> dict[str, object]:
    """Return means over runs: accuracy and tokens a problem by method, and minutes of the runs that ran alone.

    "base" is the greedy accuracy of the base policy.
    """
    minutes = [run.minutes for run in runs if run.minutes is not None]
    accuracy = {method: mean_of_shares(accuracies) for method, accuracies in mean_over_runs(runs).items()}
    return {
        "seeds": len(runs),
        "base": fmean(run.base_accuracy for run in runs),
        "accuracy": {method: asdict(interval) for method, interval in accuracy.items()},
        "tokens": {method: fmean(run.tokens_per_problem[method] for run in runs) for method in accuracy},
        "minutes": fmean(minutes) if minutes else None,
        "commits": sorted({run.commit for run in runs}),
        "machines": sorted({run.machine for run in runs}),
    }


def show(results: dict[str, dict[str, object]]) -> None:
    """Print a line per recipe, then JSON."""
    print(f"| recipe | seeds | base | {' | '.join(METHODS.values())} | minutes |")
    print("|---" * (4 + len(METHODS)) + "|")
    for name, row in results.items():
        cells = " | ".join(format_cell(row, method) for method in METHODS)
        minutes = "–" if row["minutes"] is None else f"{row['minutes']:.1f}"
        base = format_percent(row["base"])  # type: ignore[arg-type]
        print(f"| `{name}` | {row['seeds']} | {base} | {cells} | {minutes} |")
    print(json.dumps(results))


def format_cell(row: dict[str, object], method: str) -> str:
    """Return accuracy in percent, its interval, and generated tokens a problem."""
    if method not in row["accuracy"]:  # type: ignore[operator]
        return "–"
    return f"{format_interval(Interval(**row['accuracy'][method]))} {row['tokens'][method]:.0f}"  # type: ignore[index]


def measure(
    names: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    file: Path,
    overrides: Sequence[str] = (),
    concurrency: int = 1,
) -> None:
    """Run the recipes with these seeds and overrides, except those in ``file``, and add their results to it."""
    done = {result.key for result in result_files.read_results(RecipeResult, file)}
    missing = [(name, seed) for seed in seeds for name in names if (name, seed, tuple(overrides)) not in done]
    pool = ThreadPoolExecutor(concurrency)
    try:
        for future in as_completed(
            [pool.submit(run_and_read, name, seed, folder, overrides) for name, seed in missing]
        ):
            if result := future.result():
                result_files.append_result(file, result if concurrency == 1 else replace(result, minutes=None))
    finally:
        pool.shutdown(cancel_futures=True)  # or Ctrl-C would continue with the next run


def run_and_read(name: str, seed: int, folder: Path, overrides: Sequence[str]) -> RecipeResult | None:
    """Run a recipe and return its result, or None if it failed."""
    root = run_recipe(name, seed, folder, overrides)
    finished = (root / summary.SUMMARY).exists()  # the last file that a run writes
    return recipe_results.read_run(root, name, seed, overrides, SPLIT) if finished else None


def read_results(name: str, seeds: Sequence[int], file: Path, overrides: Sequence[str] = ()) -> list[RecipeResult]:
    """Return the results in ``file`` of a recipe with these seeds and overrides."""
    return [
        result
        for result in result_files.read_results(RecipeResult, file)
        if (result.recipe, result.overrides) == (name, tuple(overrides)) and result.seed in seeds
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the runs are")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", default=sorted(path.stem for path in RECIPES.glob("*.yaml")))
    parser.add_argument("--results", type=Path, default=RESULTS, help="file with the results of finished runs")
    parser.add_argument("--at-once", type=int, default=1, help="concurrent runs; from 2 on minutes are not recorded")
    parser.add_argument("--read", action="store_true", help="show the results in the file, run nothing")
    args, overrides = parser.parse_known_args()
    if not args.read:
        measure(args.only, args.seeds, args.folder, args.results, overrides, args.at_once)
    runs_by_recipe = {name: read_results(name, args.seeds, args.results, overrides) for name in args.only}
    show({name: summarise(runs) for name, runs in runs_by_recipe.items() if runs})


if __name__ == "__main__":
    main()
