"""Ablate the choices of rStar-Math's harvest on the built-in curriculum: what each is worth to policy and reward model.

    python benchmarks/harvest_ablation.py runs/harvest                     every variant, seeds 0, 1, 2
    python benchmarks/harvest_ablation.py runs/harvest --only paper released --seeds 0
    python benchmarks/harvest_ablation.py runs/harvest --read              the table of what is finished; runs nothing

Each seed evolves once, by recipe rstar_math with three rounds as in the paper (graded ends, graded ends, reward model) and
whole searches; all variants harvest the trees of these rounds. A cell is a variant and a seed: `raystar harvest` with other
`method.options`, SFT of the base policy on the trajectories, the PPM from that policy on the pairs, then greedy accuracy and
best-of-8 on 300 held-out problems. Equal records train one model, not two. So a variant is compared at the end of one loop;
what it would change in the trees of later rounds is not seen. Finished cells are lines of docs/results/harvest_ablation.jsonl
(`--results FILE` for another file) and are not run again; an interrupted cell continues. Other options go to every command
as fields of the config. Intervals are over problems, each with its mean over seeds; differences are paired by problem with
the variant `paper`. The last line is the same as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.commands import RECIPES, ROOT, require_raystar
from benchmarks.harvest_cells import BASELINE, DIGITS, HarvestCell, rows_by_variant
from benchmarks.result_files import append_result, read_results
from benchmarks.runs import format_interval
from cluster.evaluation.evaluate import PROBLEM_ACCURACIES
from cluster.evaluation.records import METHODS
from cluster.formatting import format_difference
from cluster.run import directory, manifest
from cluster.run.directory import DONE
from search.data import PreferencePair, Step, Trajectory
from train.data.records import read_records
from train.record_files import PAIRS, TRAJECTORIES

SPLIT = "heldout"
RESULTS = ROOT / "docs" / "results" / "harvest_ablation.jsonl"
RECIPE = str(RECIPES / "rstar_math.yaml")
ROUNDS = 3
# Rounds 1 to 3 of the paper. A search ends with its rollouts, not with its first answers, or there would be nothing to choose.
LOOP = (
    "--rounds=[{values: terminal, train_reward_model: false}, {values: terminal}, {values: reward_model}]",
    "--search.stop_after_correct=0",
    "--search.stop_after_incorrect=0",
)
MEASURED = ("greedy", "best_of_n")
# An evaluation also measures a search, which is not read here: one sample is the least of it.
SEARCH_OF_ONE = ("--evaluation.search.strategy=best_of_n", "--evaluation.search.candidates=1")
ALL_PROBLEMS = "--evaluation.midway=1"  # or a command would take best-of-8 on the share of a round before the last

VARIANTS: dict[str, dict[str, Any]] = {
    BASELINE: {},
    "all rounds": {"rounds": "all"},
    "ties to the first": {"tie_break": "first"},
    "unvisited ends at 0": {"unvisited_leaves": "zero"},
    "any end rejected": {"rejected": "any"},
    "pairs since the PPM": {"pairs_from": "reward_model_rounds"},
    "prefixes weigh the same": {"pair_weights": "by_prefix"},
    "no answer pairs": {"answer_pairs": False},
    "up to four partners": {"max_partners": 4},
    "continuations compared": {"compare_chains": True},
    "margin of 0.5": {"min_q_margin": 0.5},
    "released": {"preset": "released"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """Where the stages of one seed are: ``FOLDER/seed-N``. ``overrides``: options of every command."""

    number: int
    folder: Path
    overrides: tuple[str, ...]

    def stage(self, name: str, stage: str, command: str, *options: str) -> Path:
        """Return the directory of a stage in the run ``name``, after running the command that makes it, unless it is there."""
        run_dir = self.folder / name
        path = run_dir / "rounds" / stage
        if not (path / DONE).exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            parts = [*command.split(), RECIPE, "--seed", str(self.number), *self.overrides, *options]
            require_raystar(parts, run_dir, self.folder / f"{name}.log")
        return path


def run_cell(seed: Seed, variant: str) -> HarvestCell:
    """Harvest, train and measure one variant on the trees of a seed."""
    last = seed.stage("loop", f"r{ROUNDS}/evaluate", "evolve", *LOOP, *SEARCH_OF_ONE)
    rounds = last.parents[1]
    trees = [part for number in range(1, ROUNDS + 1) for part in ("--trees", str(rounds / f"r{number}/search"))]
    options = f"--method.options={yaml.safe_dump(VARIANTS[variant], default_flow_style=True).strip()}"
    harvest = seed.stage(f"harvest-{digest(VARIANTS[variant])}", "r1/harvest", "harvest", options, *trees)
    solutions = list(read_records(Trajectory, [harvest / TRAJECTORIES]))
    pairs = list(read_records(PreferencePair, [harvest / PAIRS]))

    policy_key = digest([texts(solution.steps) for solution in solutions])
    data = ("--data", str(harvest / TRAJECTORIES))
    policy = seed.stage(f"policy-{policy_key}", "r1/train_policy", "train policy", *data)
    models, key = ["--policy", str(policy / "model")], policy_key
    if pairs:
        key = digest([policy_key, list(map(learnt_from, pairs))])
        start = ("--data", str(harvest / PAIRS), "--init", str(policy / "model"))
        ppm = seed.stage(f"reward_model-{key}", "r1/train_reward_model", "train reward_model", *start)
        models += ["--reward-model", str(ppm / "model")]
    measured = seed.stage(f"evaluate-{key}", "r0/evaluate", "evaluate", *SEARCH_OF_ONE, ALL_PROBLEMS, *models)
    return HarvestCell(
        variant=variant,
        seed=seed.number,
        overrides=seed.overrides,
        split=SPLIT,
        **made_by(measured.parents[2]),
        counts=json.loads((harvest / DONE).read_text(encoding="utf-8"))["counts"],
        samples={"policy": len(solutions), "reward_model": len(pairs)},
        accuracies=read_accuracies(measured / PROBLEM_ACCURACIES),
    )


def texts(steps: Sequence[Step]) -> list[list[str]]:
    """Return what a model learns of steps: their texts, outputs, and the token ids that they were drawn as."""
    return [[step.text, step.output, step.drawn_ids] for step in steps]


def learnt_from(pair: PreferencePair) -> list[Any]:
    """Return what a reward model learns of a pair: both sides, and its weight."""
    return [texts((*pair.prefix, *pair.chosen)), texts((*pair.prefix, *pair.rejected)), pair.weight]


def digest(value: Any) -> str:
    """Return a short name for plain data."""
    return blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=5).hexdigest()


def made_by(run_dir: Path) -> dict[str, str]:
    """Return commit and machine of the last start of a run."""
    run_manifest = manifest.read_manifest(run_dir / directory.MANIFEST)
    start, machine = run_manifest.starts[-1], run_manifest.machine
    return {
        "commit": str(start["commit"])[:7] + ("+" if start["dirty"] else ""),
        "machine": f"{machine['processor']}, {machine['cores']} cores",
    }


def read_accuracies(file: Path) -> dict[str, list[float]]:
    """Return the accuracies of every problem by method, in the order of the ids."""
    by_method: Mapping[str, Mapping[str, float]] = json.loads(file.read_text(encoding="utf-8"))[SPLIT]
    return {
        method: [round(by_method[method][problem_id], DIGITS) for problem_id in sorted(by_method[method])]
        for method in MEASURED
        if method in by_method
    }


def show(cells: Sequence[HarvestCell]) -> None:
    """Print a line per variant, then JSON."""
    rows = rows_by_variant(cells)
    titles = [f"{METHODS[method]} | against {BASELINE}" for method in MEASURED]
    print(f"| variant | seeds | trajectories | pairs | {' | '.join(titles)} |")
    print("|---" * (4 + 2 * len(MEASURED)) + "|")
    for name, row in rows.items():
        results = [
            f"{format_interval(row.accuracy.get(method))} | "
            + (format_difference(row.difference[method]) if method in row.difference else "–")
            for method in MEASURED
        ]
        print(f"| {name} | {len(row.seeds)} | {row.trajectories:.0f} | {row.pairs:.0f} | {' | '.join(results)} |")
    print(json.dumps({name: asdict(row) for name, row in rows.items()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the runs are")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), choices=list(VARIANTS), metavar="VARIANT")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file with the finished cells")
    parser.add_argument("--read", action="store_true", help="show the cells in the file, run nothing")
    args, extra = parser.parse_known_args()
    overrides = tuple(extra)
    wanted = [(variant, number, overrides) for number in args.seeds for variant in args.only]
    finished = {cell.key for cell in read_results(HarvestCell, args.results)}
    for variant, number, _ in () if args.read else [key for key in wanted if key not in finished]:
        seed = Seed(number=number, folder=args.folder.resolve() / f"seed-{number}", overrides=overrides)
        append_result(args.results, run_cell(seed, variant))
    by_key = {cell.key: cell for cell in read_results(HarvestCell, args.results)}
    show([by_key[key] for key in wanted if key in by_key])


if __name__ == "__main__":
    main()
