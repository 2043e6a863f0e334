"""Compare reward models of every kind as choosers among the same samples: PRM, ORM, PPM, Q-regression, and majority.

    python benchmarks/reward_models.py runs/rewards                       three seeds, held-out problems
    python benchmarks/reward_models.py runs/rewards --split validation    to change settings by

Each seed draws its own training samples (the search of recipe lets_verify) and its own trees (that of rstar_math) with the
base policy. ORM and both PRMs learn from the same samples: one PRM from the curriculum's exact check of every step, one
from hard labels of the samples themselves. PPM and Q-regression learn from the same trees. Each starts from the base and is
trained by the training section of its recipe, Q-regression for eight epochs (chosen on validation problems);
--train.reward_model.FIELD=VALUE changes all. All score the same 32 samples a problem. What is done is not done again.
Numbers are means over seeds, with the range of the seeds; intervals of each seed are in its reward_eval.json. The last line
is the same as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.commands import RECIPES, require_raystar
from cluster.reward_eval.evaluate import RESULT
from cluster.run.directory import DONE
from train.objectives import OBJECTIVES

SAMPLES = 32
SIZES = (1, 2, 4, 8, 16, 32)
EVALUATION_RECIPE = "lets_verify"  # whose problems and sampling all are evaluated with

Evaluations = dict[str, dict[str, Any]]  # reward model -> what its reward_eval.json says


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A reward model: the recipe of its search and training, its harvest rule and objective, and how it aggregates steps.

    ``overrides``: options of its training that differ from the recipe's.
    """

    recipe: str
    rule: str
    objective: str
    step_aggregation: str
    overrides: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        """Return the option that sets rule and objective."""
        return (
            f"--method={{rule: {self.rule}, policy: null, reward_model: {{objective: {self.objective}, start: base}}}}"
        )


KINDS = {
    "PRM": Kind(recipe="lets_verify", rule="checked_labels", objective="prm", step_aggregation="product"),
    "PRM-sampled": Kind(recipe="lets_verify", rule="hard_labels", objective="prm", step_aggregation="product"),
    "ORM": Kind(recipe="lets_verify", rule="checked_labels", objective="orm", step_aggregation="last"),
    "PPM": Kind(recipe="rstar_math", rule="rstar_math", objective="ppm", step_aggregation="last"),
    "Q-regression": Kind(
        recipe="rstar_math",
        rule="q_labels",
        objective="q_regression",
        step_aggregation="last",
        overrides=("--train.reward_model.epochs=8",),
    ),
}


def train_reward_model(folder: Path, name: str, seed: int, overrides: Sequence[str]) -> Path:
    """Train the reward model of one kind and seed, unless it exists, and return its directory."""
    kind = KINDS[name]
    common = [str(RECIPES / f"{kind.recipe}.yaml"), "--seed", str(seed), "--rounds=[{}]"]
    log = folder / f"{name}-{seed}.log"
    search_dir = folder / f"{kind.recipe}-{seed}"
    if not (search_dir / "rounds/r1/search" / DONE).exists():
        require_raystar(["search", *common], search_dir, log)
    harvest_dir = folder / f"{kind.recipe}-{kind.rule}-{seed}"
    if not (harvest_dir / "rounds/r1/harvest" / DONE).exists():
        trees = f"{search_dir}/rounds/r1/search"
        require_raystar(["harvest", *common, kind.method, "--trees", trees], harvest_dir, log)
    train_dir = folder / f"{name}-{seed}"
    if not (train_dir / "rounds/r1/train_reward_model" / DONE).exists():
        data = harvest_dir / "rounds/r1/harvest" / OBJECTIVES[kind.objective].records
        options = [kind.method, *kind.overrides, *overrides, "--data", str(data)]
        require_raystar(["train", "reward_model", *common, *options], train_dir, log)
    return train_dir / "rounds/r1/train_reward_model/model"


def evaluate_all(folder: Path, seed: int, split: str, names: Sequence[str], overrides: Sequence[str]) -> Evaluations:
    """Evaluate every reward model on the same samples, which the first evaluation draws."""
    evaluations, samples = {}, None
    for name in names:
        model = train_reward_model(folder, name, seed, overrides)
        run_dir = folder / f"reward-eval-{split}-{name}-{seed}"
        if not (run_dir / RESULT).exists():
            config = [str(RECIPES / f"{EVALUATION_RECIPE}.yaml"), "--seed", str(seed)]
            source = ["--split", split] if samples is None else ["--trees", str(samples)]
            options = ["--model", str(model), "--step-aggregation", KINDS[name].step_aggregation]
            command = ["eval-reward-model", *config, f"--evaluation.samples={SAMPLES}", *source, *options]
            require_raystar(command, run_dir, folder / f"{name}-{seed}.log")
        samples = samples or run_dir / "rounds/reward_eval/samples"
        evaluations[name] = json.loads((run_dir / RESULT).read_text(encoding="utf-8"))
    return evaluations


def accuracy_curve(evaluations: Evaluations, name: str, method: str) -> list[float]:
    """Return the accuracy at each N of SIZES."""
    curves = evaluations[name]["curves"]
    return [curves["methods"][method][curves["sizes"].index(n)]["mean"] for n in SIZES]


def curves_by_method(evaluations: Evaluations) -> dict[str, list[float]]:
    """Return the accuracy at each N of SIZES by the way to choose."""
    first = next(iter(evaluations))
    rows = {
        "majority": accuracy_curve(evaluations, first, "majority"),
        "any correct": accuracy_curve(evaluations, first, "any"),
    }
    for name in evaluations:
        rows[f"{name}, best of N"] = accuracy_curve(evaluations, name, KINDS[name].step_aggregation)
        rows[f"{name}, weighted vote"] = accuracy_curve(evaluations, name, "weighted")
    return rows


def show(seeds: Sequence[Evaluations]) -> None:
    """Print means over seeds and their range, then how well steps are scored, then JSON."""
    by_seed = [curves_by_method(evaluations) for evaluations in seeds]
    print(f"| % correct, {len(seeds)} seeds | {' | '.join(f'N = {n}' for n in SIZES)} |")
    print("|---" * (1 + len(SIZES)) + "|")
    for name in by_seed[0]:
        cells = [format_range([rows[name][index] for rows in by_seed]) for index in range(len(SIZES))]
        print(f"| {name} | {' | '.join(cells)} |")
    f1 = {name: [seed[name]["steps"]["f1"]["mean"] for seed in seeds if seed[name]["steps"]] for name in seeds[0]}
    print("\nfirst incorrect steps, F1 in %:")
    for name, values in f1.items():
        print(f"  {name}: {format_range(values) if values else '–'}")
    print(json.dumps({"sizes": SIZES, "accuracy": by_seed, "f1": f1}))


def format_range(values: Sequence[float]) -> str:
    """Return mean and range over seeds, in percent."""
    return f"{100 * fmean(values):.1f} ({100 * min(values):.1f}–{100 * max(values):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where everything is kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--split", default="heldout", choices=("heldout", "validation"))
    parser.add_argument("--only", nargs="+", default=list(KINDS), choices=list(KINDS))
    args, overrides = parser.parse_known_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    folder = args.folder.resolve()
    show([evaluate_all(folder, seed, args.split, args.only, overrides) for seed in args.seeds])


if __name__ == "__main__":
    main()
