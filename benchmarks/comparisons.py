"""Compare all strategies at equal numbers of generated tokens with the final models of three seeds of the demo.

    python benchmarks/comparisons.py runs/compare                         makes the three runs of the demo first
    python benchmarks/comparisons.py runs/compare --of runs/seed-0 runs/seed-1 runs/seed-2
    python benchmarks/comparisons.py runs/compare --of … --only mcts best_of_n --splits deeper --budgets 1000
    python benchmarks/comparisons.py --read                               the tables of what is stored; runs nothing

Every strategy searches 300 problems of each split with the models of each seed, at each budget. Its option is set on
validation problems of as many steps before (`raystar compare`). Whole samples are drawn at `evaluation.temperature`, as an
evaluation draws them, or at --whole. Every finished cell is a line of docs/results/comparisons.jsonl (`--results FILE` for
another file), and what is there is not measured again; an interrupted search continues. Further arguments are fields of
the config.

Tables: for each split and rule for an answer, accuracy at the same number of tokens, and by how much it exceeds best-of-N
read by the same rule. The unit is the problem, with its mean over seeds. The last line is the same as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import comparison_cells
from benchmarks.commands import ROOT, require_raystar
from benchmarks.comparison_cells import ComparisonRequest, StoredCell
from cluster.config import run_config
from cluster.config.compare_config import ContenderConfig
from cluster.config.overrides import parse
from cluster.config.run_config import RunConfig
from cluster.evaluation.token_curves import CurvePoint, CurveValue, chosen_values, curve_points, readings_of, values_at
from cluster.formatting import format_count, format_difference

CONFIG = ROOT / "configs" / "arithmetic.yaml"
RESULTS = ROOT / "docs" / "results" / "comparisons.jsonl"
BASELINE = "best_of_n"
SAMPLING = ("majority", "best_of_n")  # contenders that draw whole samples
BUDGETS = (500, 1000, 2000, 4000)


def contenders_of(config: RunConfig, temperature: float, names: Sequence[str] | None) -> dict[str, ContenderConfig]:
    """Return the contenders of the config's comparison, all or those named, whole samples at ``temperature``."""
    contenders = {}
    for name, contender in config.compare.strategies.items():
        settings = {**contender.settings, "temperature": temperature} if name in SAMPLING else contender.settings
        if names is None or name in names:
            contenders[name] = contender.model_copy(update={"settings": settings})
    return contenders


def require_known(option: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Exit with a line if a name of an option is none of those that are known."""
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"{option}: {unknown[0]!r} is unknown: one of {', '.join(known)}")


def make_runs(folder: Path, config: Path, seeds: Sequence[int]) -> dict[int, Path]:
    """Run the demo with each seed, or continue it, and return the run directories."""
    runs = {seed: folder.resolve() / f"demo-{seed}" for seed in seeds}
    folder.mkdir(parents=True, exist_ok=True)
    for seed, root in runs.items():
        if not (root / "summary.json").exists():  # the last file that a run writes
            require_raystar(["evolve", str(config), "--seed", str(seed)], root, root.with_suffix(".log"))
    return runs


def show(cells: Sequence[StoredCell], splits: Iterable[str], budgets: Sequence[int]) -> None:
    """Print the tables of every split, then JSON."""
    results = {}
    for split in splits:
        of_split = [stored for stored in cells if stored.split == split]
        if not of_split:
            continue
        curves = curve_points(stored.cell for stored in of_split)
        seeds, commits = sorted({stored.seed for stored in of_split}), sorted({stored.commit for stored in of_split})
        print(f"\n## {split}: {of_split[0].problems} problems, seeds {seeds}, commits {', '.join(commits)}")
        by_reading = {reading: values_at(curves, reading, budgets, BASELINE) for reading in readings_of(curves)}
        by_reading["chosen on validation"] = chosen_values(curves, budgets, BASELINE)
        for reading, values in by_reading.items():
            show_reading(reading, values, budgets)
        show_points(curves)
        show_costs(curves)
        results[split] = {reading: [asdict(value) for value in values] for reading, values in by_reading.items()}
    print(json.dumps(results))


def show_reading(reading: str, values: Sequence[CurveValue], budgets: Sequence[int]) -> None:
    """Print a row for each strategy with a column for each budget."""
    print(f"\n{reading}: accuracy in % at so many tokens (less {BASELINE}, read alike)\n")
    print(f"| strategy | {' | '.join(f'{budget:,}' for budget in budgets)} |")
    print("|---" * (1 + len(budgets)) + "|")
    for strategy in dict.fromkeys(value.strategy for value in values):
        by_budget = {value.budget: value for value in values if value.strategy == strategy}
        texts = (format_value(by_budget.get(budget), reading) for budget in budgets)
        print(f"| {strategy} | {' | '.join(texts)} |")


def format_value(value: CurveValue | None, reading: str) -> str:
    """Return accuracy, reading where it is another, tokens where the budget is not reached, and the difference."""
    if value is None:
        return ""
    text = f"{100 * value.accuracy.mean:.1f}"
    text += "" if value.reading == reading else f" {value.reading}"
    text += "" if value.is_reached else f" at {value.tokens:,.0f}"
    is_compared = value.difference is not None and value.strategy != BASELINE
    return f"{text} ({format_difference(value.difference)})" if is_compared and value.difference else text


def show_points(curves: Mapping[str, Sequence[CurvePoint]]) -> None:
    """Print a row for each measured point: the tokens really generated and the accuracy by each reading."""
    readings = readings_of(curves)
    print("\nmeasured points: accuracy in % by each reading at the tokens really generated\n")
    print(f"| strategy | tokens | {' | '.join(readings)} |")
    print("|---" * (2 + len(readings)) + "|")
    for strategy, points in curves.items():
        for point in points:
            values = (point.accuracies.get(reading) for reading in readings)
            texts = ("" if accuracies is None else f"{100 * fmean(accuracies):.1f}" for accuracies in values)
            print(f"| {strategy} | {point.tokens:,.0f} | {' | '.join(texts)} |")


def show_costs(curves: Mapping[str, Sequence[CurvePoint]]) -> None:
    """Print a row for each point: setting, spend on validation, and all costs of a problem."""
    print("\ncosts a problem; read and scored: tokens that no prefix cache held\n")
    head = (
        "strategy",
        "setting",
        "set at",
        "tokens",
        "read",
        "scored",
        "states",
        "calls",
        "programs",
        "GFLOP",
        "s",
        "s alone",
    )
    print(f"| {' | '.join(head)} |")
    print("|---" * len(head) + "|")
    for strategy, points in curves.items():
        for point in points:
            cost, settings = point.cost, [cell.setting for cell in point.cells]
            values = sorted({str(setting.value) for setting in settings if setting.option})
            row = (
                strategy,
                f"{settings[0].option} {', '.join(values)}" if values else "",
                format_count(sum(setting.spend for setting in settings) / len(settings)),
                *map(format_count, (cost.tokens, cost.prompt_tokens, cost.scored_tokens, cost.scored_states)),
                f"{cost.reward_model_requests:.1f}",
                f"{cost.executions:.1f}",
                "" if cost.flops is None else f"{cost.flops / 1e9:.3g}",
                f"{cost.seconds:.2f}",
                "" if cost.latency is None else f"{cost.latency:.2f}",
            )
            print(f"| {' | '.join(row)} |")


def make_parser(description: str | None, folder: Path, results: Path) -> argparse.ArgumentParser:
    """Return a parser of what comparisons of several seeds share. ``folder`` and ``results``: where they are by default."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=folder, help="where the runs are")
    parser.add_argument(
        "--of", type=Path, nargs="+", help="finished runs of raystar evolve, of seeds 0, 1, 2 … in order"
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the runs that are made without --of"
    )
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--results", type=Path, default=results, help="file of what is finished")
    parser.add_argument("--read", action="store_true", help="show what is stored, run nothing")
    return parser


def main() -> None:
    parser = make_parser(__doc__, ROOT / "runs" / "compare", RESULTS)
    parser.add_argument("--splits", nargs="+", default=["heldout", "deeper"])
    parser.add_argument("--limit", type=int, default=300, help="problems of each split")
    parser.add_argument("--budgets", type=int, nargs="+", default=list(BUDGETS))
    parser.add_argument("--only", nargs="+", help="contenders (default: all of the config's comparison)")
    parser.add_argument("--whole", type=float, help="temperature of whole samples (default: evaluation.temperature)")
    args, overrides = parser.parse_known_args()
    config = run_config.load(args.config, parse(overrides))
    require_known("--only", args.only or (), config.compare.strategies)
    require_known("--splits", args.splits, ("validation", *config.problems.evaluation))
    temperature = config.evaluation.temperature if args.whole is None else args.whole
    contenders = contenders_of(config, temperature, args.only)
    requests = [
        ComparisonRequest(
            config_file=args.config,
            config=config,
            split=split,
            limit=args.limit,
            budgets=tuple(args.budgets),
            overrides=tuple(overrides),
        )
        for split in args.splits
    ]
    is_complete, seeds = True, range(len(args.of)) if args.of else args.seeds
    if not args.read:
        sources = dict(enumerate(args.of)) if args.of else make_runs(args.folder, args.config, args.seeds)
        for request in requests:
            is_complete &= comparison_cells.measure(request, contenders, sources, args.folder, args.results)
    stored = comparison_cells.read(args.results)
    cells = [cell for request in requests for cell in comparison_cells.select(stored, request, contenders, seeds)]
    show(cells, args.splits, args.budgets)
    sys.exit(0 if is_complete else 1)


if __name__ == "__main__":
    main()
