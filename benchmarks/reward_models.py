"""Reward models of every kind as choosers among the same samples: PRM, ORM, PPM, Q-regression and majority over N.

    python benchmarks/reward_models.py runs/rewards                       three seeds, held-out problems
    python benchmarks/reward_models.py runs/rewards --split validation    to change settings by

Each seed draws its own training samples (the search of recipe lets_verify) and its own trees (that of rstar_math) with the
base policy. ORM and both PRMs, one by the curriculum's exact check of every step and one by hard labels of the samples
themselves, learn from the same samples, PPM and Q-regression from the same trees, each from the base by the training
section of its recipe, Q-regression for eight epochs (chosen on validation problems); --train.reward_model.FIELD=VALUE changes all.
All judge the same 32 samples a problem. What is done is
not done again. Numbers are means over seeds, with the range of the seeds; intervals of each seed stand in its judge.json.
Ends with the same as JSON.
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

from benchmarks.commands import RECIPES, needed
from cluster.run.directory import DONE
from train.rules.registry import LEARNS_FROM

SAMPLES = 32
SHOWN = (1, 2, 4, 8, 16, 32)
JUDGE_RECIPE = "lets_verify"  # whose problems and sampling all are judged with

Found = dict[str, dict[str, Any]]  # reward model -> what its judge.json says


@dataclass(frozen=True, slots=True)
class Kind:
    """A reward model: the recipe whose search and training it takes, the rule and the objective, how it chooses, and the
    fields of its training that differ from the recipe's."""

    recipe: str
    rule: str
    objective: str
    chooses: str
    training: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        return f"--method={{rule: {self.rule}, policy: null, reward: {{objective: {self.objective}, start: base}}}}"


KINDS = {
    "PRM": Kind("lets_verify", "checked_labels", "prm", "product"),
    "PRM-sampled": Kind("lets_verify", "hard_labels", "prm", "product"),
    "ORM": Kind("lets_verify", "checked_labels", "orm", "last"),
    "PPM": Kind("rstar_math", "rstar_math", "ppm", "last"),
    "Q-regression": Kind("rstar_math", "q_labels", "q_regression", "last", ("--train.reward_model.epochs=8",)),
}


def model(folder: Path, name: str, seed: int, fields: Sequence[str]) -> Path:
    """The reward model of one kind and seed, trained where it is not there."""
    kind = KINDS[name]
    config, more = str(RECIPES / f"{kind.recipe}.yaml"), ["--seed", str(seed)]
    once = ["--rounds=[{}]"]
    log = folder / f"{name}-{seed}.log"
    trees = folder / f"{kind.recipe}-{seed}"
    if not (trees / "rounds/r1/search" / DONE).exists():
        needed(["search", config, *more, *once], trees, log)
    records = folder / f"{kind.recipe}-{kind.rule}-{seed}"
    harvested = records / "rounds/r1/harvest"
    if not (harvested / DONE).exists():
        needed(["harvest", config, *more, *once, kind.method, "--trees", f"{trees}/rounds/r1/search"], records, log)
    trained = folder / f"{name}-{seed}"
    if not (trained / "rounds/r1/train_reward_model" / DONE).exists():
        data = harvested / LEARNS_FROM[kind.objective]
        needed(
            ["train", "reward_model", config, *more, *once, kind.method, *kind.training, *fields, "--data", str(data)],
            trained,
            log,
        )
    return trained / "rounds/r1/train_reward_model/model"


def judged(folder: Path, seed: int, split: str, names: Sequence[str], fields: Sequence[str]) -> Found:
    """What every reward model says of the same samples; the first draws them."""
    found, samples = {}, None
    for name in names:
        directory = model(folder, name, seed, fields)
        where = folder / f"judge-{split}-{name}-{seed}"
        if not (where / "judge.json").exists():
            config = [str(RECIPES / f"{JUDGE_RECIPE}.yaml"), "--seed", str(seed), f"--evaluation.samples={SAMPLES}"]
            source = ["--split", split] if samples is None else ["--trees", str(samples)]
            needed(
                ["judge", *config, *source, "--model", str(directory), "--aggregate", KINDS[name].chooses],
                where,
                folder / f"{name}-{seed}.log",
            )
        samples = samples or where / "rounds/judge/samples"
        found[name] = json.loads((where / "judge.json").read_text(encoding="utf-8"))
    return found


def curve(found: Found, name: str, how: str) -> list[float]:
    """Accuracy at each N of SHOWN."""
    curves = found[name]["curves"]
    return [curves["methods"][how][curves["sizes"].index(n)]["mean"] for n in SHOWN]


def lines(found: Found) -> dict[str, list[float]]:
    """Accuracy at each N of SHOWN by way to choose."""
    first = next(iter(found))
    rows = {"majority": curve(found, first, "majority"), "any right": curve(found, first, "any")}
    for name in found:
        rows[f"{name}, best of N"] = curve(found, name, KINDS[name].chooses)
        rows[f"{name}, weighted vote"] = curve(found, name, "weighted")
    return rows


def show(seeds: Sequence[Found]) -> None:
    """Means over seeds and their range, then how well steps are judged, then JSON."""
    every = [lines(found) for found in seeds]
    print(f"| % right, {len(seeds)} seeds | {' | '.join(f'N = {n}' for n in SHOWN)} |")
    print("|---" * (1 + len(SHOWN)) + "|")
    for name in every[0]:
        print(
            f"| {name} | {' | '.join(ranged([rows[name][place] for rows in every]) for place in range(len(SHOWN)))} |"
        )
    f1 = {name: [found[name]["steps"]["f1"]["mean"] for found in seeds if found[name]["steps"]] for name in seeds[0]}
    print("\nfirst wrong steps, F1 in %:")
    for name, values in f1.items():
        print(f"  {name}: {ranged(values) if values else '–'}")
    print(json.dumps({"sizes": SHOWN, "accuracy": every, "f1": f1}))


def ranged(values: Sequence[float]) -> str:
    """Mean and range over seeds, in percent."""
    return f"{100 * fmean(values):.1f} ({100 * min(values):.1f}–{100 * max(values):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where everything is kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--split", default="heldout", choices=("heldout", "validation"))
    parser.add_argument("--only", nargs="+", default=list(KINDS), choices=list(KINDS))
    args, fields = parser.parse_known_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    folder = args.folder.resolve()
    show([judged(folder, seed, args.split, args.only, fields) for seed in args.seeds])


if __name__ == "__main__":
    main()
