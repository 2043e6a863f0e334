"""DPO with the likelihood of the winner and without it (Iterative RPO, arXiv 2404.19733, section 3.3), over seeds.

    python benchmarks/preferences.py runs/preferences

Runs recipe irpo, whose `method.policy.objective` is dpo_nll, and irpo with dpo, into FOLDER/OBJECTIVE/irpo-SEED; what
docs/results/recipes.jsonl has is not run again (benchmarks/recipes.py). For each round the log-probabilities of winners and
losers, means over the pairs of the first and of the last report of training, and the accuracy at the end. Ends with the same
as JSON.
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

from benchmarks.kept import SIDES, Kept
from benchmarks.recipes import RESULTS, SPLIT, measure, read, result
from benchmarks.runs import shown
from search.evaluation.confidence import Interval

RECIPE = "irpo"
OBJECTIVES = {"dpo_nll": (), "dpo": ("--method.policy.objective=dpo",)}  # with what is changed in the recipe


def over_seeds(runs: Sequence[Kept]) -> list[dict[str, tuple[float, float]]]:
    """For each round the first and the last report of both log-probabilities, means over seeds."""
    return [
        {side: (fmean(one[side][0] for one in rounds), fmean(one[side][1] for one in rounds)) for side in SIDES}
        for rounds in zip(*(run.preferences for run in runs), strict=True)
    ]


def show(found: dict[str, dict[str, Any]]) -> None:
    print(f"| objective | seeds | greedy, {SPLIT} | round: winners, losers (log-probability, first to last report) |")
    print("|---" * 4 + "|")
    for name, row in found.items():
        rounds = "; ".join(
            f"{number}: " + ", ".join(f"{one[side][0]:.1f} to {one[side][1]:.1f}" for side in SIDES)
            for number, one in enumerate(row["log_probabilities"], 1)
        )
        print(f"| `{name}` | {row['seeds']} | {shown(Interval(**row['accuracy']['greedy']))} | {rounds} |")
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the runs are")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=RESULTS, help="file that finished runs are kept in")
    args, fields = parser.parse_known_args()
    found = {}
    for objective, changed in OBJECTIVES.items():
        every = [*changed, *fields]
        measure([RECIPE], args.seeds, args.folder / objective, args.results, every)
        runs = read(RECIPE, args.seeds, args.results, every)
        found[objective] = {**result(runs), "log_probabilities": over_seeds(runs)}
    show(found)


if __name__ == "__main__":
    main()
