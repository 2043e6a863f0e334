"""DPO with the likelihood of the winner and without it (Iterative RPO, arXiv 2404.19733, section 3.3), over seeds.

    python benchmarks/preferences.py runs/preferences

Runs recipe irpo with `method.policy.objective` dpo_nll and dpo into FOLDER/OBJECTIVE/irpo-SEED; what is finished is not run
again. For each round the log-probabilities of winners and losers, means over the pairs of the first and of the last report
of training, and the accuracy at the end. Ends with the same as JSON.
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

from benchmarks.recipes import SPLIT, finished, result, run
from benchmarks.runs import shown
from search.intervals import Interval

OBJECTIVES = ("dpo_nll", "dpo")
RECIPE = "irpo"
SIDES = ("chosen_log_probability", "rejected_log_probability")


def ends(root: Path) -> list[dict[str, tuple[float, float]]]:
    """For each round the first and the last report of both log-probabilities."""
    found = []
    for stage in sorted(root.glob("rounds/r*/train_policy")):
        file = next(stage.glob("*.progress.jsonl"))
        reports = [json.loads(line)["metrics"] for line in file.read_text(encoding="utf-8").splitlines()]
        found.append({side: (reports[0][side], reports[-1][side]) for side in SIDES})
    return found


def over_seeds(roots: Sequence[Path]) -> list[dict[str, tuple[float, float]]]:
    """The same as means over seeds."""
    return [
        {side: (fmean(one[side][0] for one in rounds), fmean(one[side][1] for one in rounds)) for side in SIDES}
        for rounds in zip(*map(ends, roots), strict=True)
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
    args, fields = parser.parse_known_args()
    found = {}
    for objective in OBJECTIVES:
        folder = args.folder / objective
        folder.mkdir(parents=True, exist_ok=True)
        roots = [folder / f"{RECIPE}-{seed}" for seed in args.seeds]
        for seed, root in zip(args.seeds, roots, strict=True):
            if not finished(root):
                run(RECIPE, seed, folder, [f"--method.policy.objective={objective}", *fields])
        found[objective] = {**result(roots), "log_probabilities": over_seeds(roots)}
    show(found)


if __name__ == "__main__":
    main()
