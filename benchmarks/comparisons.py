"""Strategies at equal numbers of generated tokens with the models that finished runs ended with: the tables of README and docs/.

    python benchmarks/comparisons.py runs/compare --of runs/seed-0 runs/seed-1 runs/seed-2
    python benchmarks/comparisons.py runs/compare --of … --split deeper --limit 200
    python benchmarks/comparisons.py runs/compare --of … --read      the table of what is finished; runs nothing

Runs `raystar compare` on each run's last promoted models into FOLDER/SPLIT-NUMBER; what is done is not done again. Every
strategy has the settings of the config's comparison, except that whole samples are drawn at `evaluation.temperature`, as an
evaluation draws them, and --WHOLE at another. One line a strategy and budget: accuracy, how far it is from best-of-N, and
what it cost. Intervals are over problems, each with its mean over the runs. Ends with the same as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.commands import ROOT, needed
from cluster.config import run_config as configs
from cluster.config.run_config import RunConfig
from cluster.evaluation.compare import COMPARISON
from cluster.run.directory import DONE
from search.evaluation.confidence import Interval, mean_of_shares, paired_difference

AGAINST = "best_of"
WHOLE = ("majority", "best_of", "weighted")  # contenders that draw whole samples

Cells = dict[int, dict[str, list[dict[str, Any]]]]  # budget -> strategy -> facts of its searches


def ended_with(root: Path, role: str) -> Path:
    """The model of a role that the last decision of a run left in it."""
    promoted = None
    for done in sorted(root.glob(f"rounds/r*/promote/{DONE}"), key=lambda file: int(file.parts[-3][1:])):
        decisions = json.loads(done.read_text(encoding="utf-8"))["decisions"]
        if any(decision["role"] == role and decision["promoted"] for decision in decisions):
            promoted = done.parents[1] / f"train_{role}" / "model"
    if promoted is None:
        sys.exit(f"{root}: no round has promoted a {role}; expected a run directory of raystar evolve")
    return promoted.resolve()


def strategies(config: RunConfig, temperature: float) -> str:
    """The contenders of a comparison with whole samples at ``temperature``, as a value for a config field."""
    found = {name: one.model_dump() for name, one in config.compare.strategies.items()}
    for name in WHOLE:
        found[name]["settings"]["temperature"] = temperature
    return json.dumps(found)


def run(run_directory: Path, where: Path, args: argparse.Namespace, fields: Sequence[str]) -> None:
    config = configs.load(args.config, {})
    temperature = config.evaluation.temperature if args.whole is None else args.whole
    models = [
        "--policy",
        str(ended_with(run_directory, "policy")),
        "--reward-model",
        str(ended_with(run_directory, "reward_model")),
    ]
    problems = ["--split", args.split, "--limit", str(args.limit)]
    fixed = ["--compare.repeats=1", f"--compare.strategies={strategies(config, temperature)}"]
    needed(["compare", str(args.config), *models, *problems, *fixed, *fields], where, where.with_suffix(".log"))


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


def show(cells: Cells) -> None:
    found = []
    print("| tokens | strategy | accuracy, % | over best-of-N, points | each run | tokens a problem | s a problem |")
    print("|---" * 7 + "|")
    for budget, of_budget in sorted(cells.items()):
        for name, facts in of_budget.items():
            right = shares(facts)
            accuracy, difference = mean_of_shares(right), paired_difference(right, shares(of_budget[AGAINST]))
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the comparisons are")
    parser.add_argument("--of", type=Path, nargs="+", required=True, help="finished runs of raystar evolve")
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "arithmetic.yaml")
    parser.add_argument("--split", default="heldout", help="problems (default: heldout)")
    parser.add_argument("--limit", type=int, default=200, help="only the first N problems")
    parser.add_argument("--whole", type=float, help="temperature of whole samples (default: evaluation.temperature)")
    parser.add_argument("--read", action="store_true", help="show what is finished, run nothing")
    args, fields = parser.parse_known_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    roots = [args.folder.resolve() / f"{args.split}-{number}" for number in range(len(args.of))]
    for source, root in zip(args.of, roots, strict=True):
        if not args.read and not (root / COMPARISON).exists():
            run(source, root, args, fields)
    show(read(roots))


if __name__ == "__main__":
    main()
