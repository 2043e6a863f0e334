"""Is a tree search above weighted best-of-N at 1,000 tokens? Strategy, reading and settings are fixed on validation first.

    python benchmarks/search_bar.py runs/bar --of runs/seed-0 runs/seed-1 runs/seed-2
    python benchmarks/search_bar.py runs/bar --of … --only mcts rebase --rivals '{mcts_1: {settings: {exploration: 1.0}}}'
    python benchmarks/search_bar.py --read                   what is stored; runs nothing

1. Rivals and best-of-N at two temperatures search validation problems of 7 and 8 steps, with the models of each seed.
2. The rival and the reading with the highest accuracy there, and the temperature with the best weighted vote, become a line
   of docs/results/search_bar.jsonl. It is not chosen again: remove the line to do so.
3. Both search 1,000 other problems of 7 and 8 steps, set to a tenth less and a tenth more than 1,000 tokens; between the two
   every problem's accuracy is read off at 1,000. The result is the difference of the rival's chosen reading and the weighted
   vote over samples. The unit is the problem, with its mean over seeds.

The bar: at least 2 points, the 95 % interval without 0. Each step's cells are lines of the same file, and nothing that is
there is done again. The last line is the result as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import comparison_cells
from benchmarks.commands import ROOT
from benchmarks.comparison_cells import ComparisonRequest, StoredCell
from benchmarks.comparisons import contenders_of, make_parser, make_runs, require_known
from benchmarks.result_files import append_line
from cluster.config import run_config
from cluster.config.compare_config import ContenderConfig
from cluster.config.overrides import parse
from cluster.config.run_config import RunConfig
from cluster.evaluation.token_curves import NEAR, accuracies_at, curve_points, readings_of
from cluster.formatting import format_difference
from search.evaluation.confidence import mean_of_shares, paired_difference
from search.evaluation.readings import COVERAGE, WEIGHTED

RESULTS = ROOT / "docs" / "results" / "search_bar.jsonl"
RIVALS = ("mcts", "rebase", "ab_mcts", "beam", "dvts")
BASELINES = ("best_of_n", "best_of_n_warm")
BAR = 0.02
CHOICE = "choice"  # key of the line that step 2 writes


def contenders_of_bar(
    config: RunConfig, only: Sequence[str] | None, rivals: Mapping[str, Any]
) -> dict[str, ContenderConfig]:
    """Return rivals and baselines: best-of-N at the temperature of evaluations and at that of searches."""
    contenders = contenders_of(config, config.evaluation.temperature, [*RIVALS, "best_of_n"])
    warm = {**contenders["best_of_n"].settings, "temperature": config.evaluation.search.temperature}
    contenders["best_of_n_warm"] = contenders["best_of_n"].model_copy(update={"settings": warm})
    contenders |= {name: ContenderConfig.model_validate(fields) for name, fields in rivals.items()}
    kept = {*(only or contenders), *BASELINES, *rivals}
    return {name: contender for name, contender in contenders.items() if name in kept}


def choose(cells: Sequence[StoredCell], budget: int) -> dict[str, Any]:
    """Return the best rival with its reading, the better baseline, and all accuracies that this was chosen by.

    A rival that spends more than the budget at its least is none.
    """
    curves = curve_points(stored.cell for stored in cells)
    accuracies = {
        name: {
            reading: fmean(read[1])
            for reading in readings_of(curves)
            if reading != COVERAGE and (read := accuracies_at(points, reading, budget)) is not None
        }
        for name, points in curves.items()
    }
    affordable = [name for name, points in curves.items() if points[0].tokens <= (1 + NEAR) * budget]
    pairs = [(name, reading) for name in affordable if name not in BASELINES for reading in accuracies[name]]
    rival, reading = max(pairs, key=lambda pair: accuracies[pair[0]][pair[1]])
    baseline = max(BASELINES, key=lambda name: accuracies[name][WEIGHTED])
    tokens = {name: points[0].tokens for name, points in curves.items()}
    return {
        "rival": rival,
        "reading": reading,
        "baseline": baseline,
        "budget": budget,
        "accuracies": accuracies,
        "tokens": tokens,
        "commits": sorted({stored.commit for stored in cells}),
        "contenders": {stored.cell.strategy: dict(stored.contender) for stored in cells},
    }


def is_measured(cells: Sequence[StoredCell], contenders: Iterable[str], seeds: Iterable[int]) -> bool:
    """Return whether there is a cell of every contender with the models of every seed."""
    return {(cell.cell.strategy, cell.seed) for cell in cells} >= set(product(contenders, seeds))


def read_choice(file: Path) -> dict[str, Any] | None:
    """Return the choice in the file, None without one."""
    records = comparison_cells.read_records(file).values()
    return next((record[CHOICE] for record in records if CHOICE in record), None)


def show(cells: Sequence[StoredCell], choice: Mapping[str, Any]) -> None:
    """Print accuracies, coverage and costs of both sides, the difference and whether it passes the bar; then JSON."""
    curves, budget = curve_points(stored.cell for stored in cells), choice["budget"]
    sides = {choice["rival"]: choice["reading"], choice["baseline"]: WEIGHTED}
    if missing := sorted(sides.keys() - curves.keys()):
        print(f"not measured yet: {', '.join(missing)}")
        return
    read = {name: accuracies_at(curves[name], reading, budget) for name, reading in sides.items()}
    covered = {name: accuracies_at(curves[name], COVERAGE, budget) for name in sides}
    result: dict[str, Any] = {"choice": {name: choice[name] for name in ("rival", "reading", "baseline", "budget")}}
    for name, reading in sides.items():
        tokens, accuracies = read[name] or (0.0, [])
        accuracy, coverage = mean_of_shares(accuracies), fmean((covered[name] or (0.0, [0.0]))[1])
        print(
            f"{name} by {reading}: {100 * accuracy.mean:.1f} % [{100 * accuracy.low:.1f}, {100 * accuracy.high:.1f}] of "
            f"{accuracy.n} problems at {tokens:.0f} tokens; coverage {100 * coverage:.1f} %"
        )
        result[name] = {"accuracy": asdict(accuracy), "tokens": tokens, "coverage": coverage}
    rival, baseline = (read[choice[side]] or (0.0, []) for side in ("rival", "baseline"))
    difference = paired_difference(rival[1], baseline[1])
    passes = difference.mean >= BAR and difference.low > 0
    print(
        f"difference {format_difference(difference)} points: {'above' if passes else 'below'} the bar of +{100 * BAR:.1f}"
    )
    print(json.dumps({**result, "difference": asdict(difference), "passes": passes}))


def main() -> None:
    parser = make_parser(__doc__, ROOT / "runs" / "bar", RESULTS)
    parser.add_argument("--split", default="deeper", help="problems that the bar is measured on")
    parser.add_argument("--limit", type=int, default=1000, help="of them")
    parser.add_argument(
        "--validation", type=int, default=300, help="problems that rival, reading and baseline are chosen on"
    )
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--only", nargs="+", help=f"rivals (default: {', '.join(RIVALS)}, as far as there are)")
    parser.add_argument("--rivals", default="{}", help="further rivals by name, as compare.strategies (YAML)")
    args, overrides = parser.parse_known_args()
    splits = run_config.load(args.config, ()).problems.evaluation
    require_known("--split", [args.split], splits)
    levels = json.dumps(list(splits[args.split].levels))
    problem_fields = [
        f"--problems.evaluation.{args.split}.count={args.limit}",
        f"--problems.validation.count={args.validation}",
        f"--problems.validation.levels={levels}",
    ]
    config = run_config.load(args.config, parse([*overrides, *problem_fields]))
    rivals = yaml.safe_load(args.rivals)
    require_known("--only", args.only or (), {**config.compare.strategies, **rivals})
    contenders = contenders_of_bar(config, args.only, rivals)
    seeds = range(len(args.of)) if args.of else args.seeds

    def measured(
        split: str, limit: int, some: Mapping[str, ContenderConfig], budgets: tuple[int, ...]
    ) -> list[StoredCell]:
        request = ComparisonRequest(
            config_file=args.config,
            config=config,
            split=split,
            limit=limit,
            budgets=budgets,
            overrides=tuple(overrides),
            problem_fields=tuple(problem_fields),
        )
        if not args.read:
            sources = dict(enumerate(args.of)) if args.of else make_runs(args.folder, args.config, args.seeds)
            if not comparison_cells.measure(request, some, sources, args.folder, args.results):
                sys.exit("a comparison failed: see its log, and run the same command again")
        return comparison_cells.select(comparison_cells.read(args.results), request, some, seeds)

    choice = read_choice(args.results)
    if choice is None:
        validated = measured("validation", args.validation, contenders, (args.budget,))
        if not is_measured(validated, contenders, seeds):
            sys.exit("nothing is chosen yet: run this without --read")
        choice = choose(validated, args.budget)
        append_line(args.results, json.dumps({CHOICE: choice}))
    print(f"chosen on validation: {choice['rival']} by {choice['reading']}, against {choice['baseline']} by {WEIGHTED}")
    sides = {choice[side]: choice["contenders"][choice[side]] for side in ("rival", "baseline")}
    fixed = {name: ContenderConfig.model_validate(fields) for name, fields in sides.items()}
    around = (round(0.9 * args.budget), round(1.1 * args.budget))
    show(measured(args.split, args.limit, fixed, around), choice)


if __name__ == "__main__":
    main()
