"""Compare strategies at equal numbers of generated tokens with the final models of finished runs.

    python benchmarks/comparisons.py runs/compare --of runs/seed-0 runs/seed-1 runs/seed-2
    python benchmarks/comparisons.py runs/compare --of … --split deeper --limit 200
    python benchmarks/comparisons.py runs/compare --of … --read      the table of what is finished; runs nothing

Runs `raystar compare` on each run's last promoted models into FOLDER/SPLIT-NUMBER; what is done is not done again. Every
strategy has the settings of the config's comparison, except that whole samples are drawn at `evaluation.temperature`, as an
evaluation draws them, or at --whole. One line per strategy and budget: accuracy, by how much it exceeds best-of-N, and
cost: the tables of README and docs/. Intervals are over problems, each with its mean over runs. The last line is the same
as JSON.
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

from benchmarks.commands import ROOT, require_raystar
from cluster.config import run_config as configs
from cluster.config.run_config import RunConfig
from cluster.evaluation.compare import COMPARISON
from cluster.run.directory import DONE
from search.evaluation.confidence import Interval, mean_of_shares, paired_difference

BASELINE = "best_of_n"
SAMPLING_CONTENDERS = ("majority", "best_of_n", "weighted")  # they draw whole samples

SearchFacts = dict[int, dict[str, list[dict[str, Any]]]]  # budget -> strategy -> facts of each run's search


def last_model(root: Path, role: str) -> Path:
    """Return the last model of a role that a run promoted."""
    model = None
    for done in sorted(root.glob(f"rounds/r*/promote/{DONE}"), key=lambda file: int(file.parts[-3][1:])):
        decisions = json.loads(done.read_text(encoding="utf-8"))["decisions"]
        if any(decision["role"] == role and decision["promoted"] for decision in decisions):
            model = done.parents[1] / f"train_{role}" / "model"
    if model is None:
        sys.exit(f"{root}: no round has promoted a {role}; expected a run directory of raystar evolve")
    return model.resolve()


def strategies(config: RunConfig, temperature: float) -> str:
    """Return the contenders of a comparison, whole samples at ``temperature``, as a value for a config field."""
    contenders = {name: contender.model_dump() for name, contender in config.compare.strategies.items()}
    for name in SAMPLING_CONTENDERS:
        contenders[name]["settings"]["temperature"] = temperature
    return json.dumps(contenders)


def run_comparison(source: Path, run_dir: Path, args: argparse.Namespace, overrides: Sequence[str]) -> None:
    """Compare strategies with the last models of the run ``source``."""
    config = configs.load(args.config, {})
    temperature = config.evaluation.temperature if args.whole is None else args.whole
    models = [
        "--policy",
        str(last_model(source, "policy")),
        "--reward-model",
        str(last_model(source, "reward_model")),
    ]
    problems = ["--split", args.split, "--limit", str(args.limit)]
    fixed_overrides = ["--compare.repeats=1", f"--compare.strategies={strategies(config, temperature)}"]
    command = ["compare", str(args.config), *models, *problems, *fixed_overrides, *overrides]
    require_raystar(command, run_dir, run_dir.with_suffix(".log"))


def read_facts(roots: Sequence[Path]) -> SearchFacts:
    """Return the facts of all finished searches."""
    facts: SearchFacts = defaultdict(lambda: defaultdict(list))
    for root in roots:
        for done in sorted((root / "rounds" / "compare").glob(f"*/*/{DONE}")):
            strategy, budget = done.parent.parent.name, int(done.parent.name.split("-")[0])
            facts[budget][strategy].append(json.loads(done.read_text(encoding="utf-8")))
    return facts


def mean_over_runs(searches: Sequence[dict[str, Any]]) -> list[float]:
    """Return each problem's mean accuracy over runs."""
    return [fmean(by_run) for by_run in zip(*(search["accuracies"] for search in searches), strict=True)]


def format_interval(interval: Interval, sign: str = "") -> str:
    mean, low, high = (f"{100 * value:{sign}.1f}" for value in (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]"


def show(facts: SearchFacts) -> None:
    """Print a line per strategy and budget, then JSON."""
    results = []
    print("| tokens | strategy | accuracy, % | over best-of-N, points | each run | tokens a problem | s a problem |")
    print("|---" * 7 + "|")
    for budget, by_strategy in sorted(facts.items()):
        baseline_accuracies = mean_over_runs(by_strategy[BASELINE])
        for strategy, searches in by_strategy.items():
            accuracies = mean_over_runs(searches)
            accuracy, margin = mean_of_shares(accuracies), paired_difference(accuracies, baseline_accuracies)
            accuracy_by_run = [fmean(search["accuracies"]) for search in searches]
            tokens = fmean(search["tokens"] for search in searches) / len(accuracies)
            seconds = fmean(search["search_seconds"] for search in searches) / len(accuracies)
            print(
                f"| {budget} | {strategy} | {format_interval(accuracy)} | {format_interval(margin, '+')} |"
                f" {', '.join(f'{100 * run:.1f}' for run in accuracy_by_run)} | {tokens:.0f} | {seconds:.2f} |"
            )
            results.append(
                {
                    "budget": budget,
                    "strategy": strategy,
                    "accuracy": asdict(accuracy),
                    "over_best_of_n": asdict(margin),
                    "accuracy_by_run": accuracy_by_run,
                    "tokens": tokens,
                    "seconds": seconds,
                }
            )
    print(json.dumps(results))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the comparisons are")
    parser.add_argument("--of", type=Path, nargs="+", required=True, help="finished runs of raystar evolve")
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "arithmetic.yaml")
    parser.add_argument("--split", default="heldout", help="problems (default: heldout)")
    parser.add_argument("--limit", type=int, default=200, help="only the first N problems")
    parser.add_argument("--whole", type=float, help="temperature of whole samples (default: evaluation.temperature)")
    parser.add_argument("--read", action="store_true", help="show what is finished, run nothing")
    args, overrides = parser.parse_known_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    roots = [args.folder.resolve() / f"{args.split}-{number}" for number in range(len(args.of))]
    for source, root in zip(args.of, roots, strict=True):
        if not args.read and not (root / COMPARISON).exists():
            run_comparison(source, root, args, overrides)
    show(read_facts(roots))


if __name__ == "__main__":
    main()
