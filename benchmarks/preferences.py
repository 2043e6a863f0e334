"""Compare DPO with the likelihood term of the chosen solution and without (Iterative RPO, arXiv 2404.19733, section 3.3).

    python benchmarks/preferences.py runs/preferences

Runs recipe irpo, whose `method.policy.objective` is dpo_nll, and irpo with dpo, over seeds, into
FOLDER/OBJECTIVE/irpo-SEED; what docs/results/recipes.jsonl has is not run again (benchmarks/recipes.py). Prints for each
round the log-probabilities of chosen and rejected solutions, means over the pairs of the first and of the last report of
training, and the accuracy at the end. The last line is the same as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.recipe_results import LOG_PROBABILITIES, RecipeResult
from benchmarks.recipes import RESULTS, SPLIT, measure, read_results, summarise
from benchmarks.runs import format_interval
from search.evaluation.confidence import Interval

RECIPE = "irpo"
OBJECTIVES = {"dpo_nll": (), "dpo": ("--method.policy.objective=dpo",)}  # objective -> overrides of the recipe


def mean_over_seeds(runs: Sequence[RecipeResult]) -> list[dict[str, tuple[float, float]]]:
    """Return for each round the first and the last report of both log-probabilities, means over seeds."""
    return [
        {
            side: (fmean(by_side[side][0] for by_side in seeds), fmean(by_side[side][1] for by_side in seeds))
            for side in LOG_PROBABILITIES
        }
        for seeds in zip(*(run.log_probabilities for run in runs), strict=True)
    ]


def show(results: dict[str, dict[str, Any]]) -> None:
    """Print a line per objective, then JSON."""
    print(f"| objective | seeds | greedy, {SPLIT} | round: chosen, rejected (log-probability, first to last report) |")
    print("|---" * 4 + "|")
    for objective, row in results.items():
        rounds = "; ".join(
            f"{number}: " + ", ".join(f"{by_side[side][0]:.1f} to {by_side[side][1]:.1f}" for side in LOG_PROBABILITIES)
            for number, by_side in enumerate(row["log_probabilities"], 1)
        )
        greedy = format_interval(Interval(**row["accuracy"]["greedy"]))
        print(f"| `{objective}` | {row['seeds']} | {greedy} | {rounds} |")
    print(json.dumps(results))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the runs are")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=RESULTS, help="file with the results of finished runs")
    args, extra_overrides = parser.parse_known_args()
    results = {}
    for objective, objective_overrides in OBJECTIVES.items():
        overrides = [*objective_overrides, *extra_overrides]
        measure([RECIPE], args.seeds, args.folder / objective, args.results, overrides)
        runs = read_results(RECIPE, args.seeds, args.results, overrides)
        results[objective] = {**summarise(runs), "log_probabilities": mean_over_seeds(runs)}
    show(results)


if __name__ == "__main__":
    main()
