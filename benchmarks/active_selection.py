"""Which solutions are worth a person's time: those that a PRM finds convincing though they are wrong, or any.

    python benchmarks/active_selection.py runs/active                       three seeds, held-out problems
    python benchmarks/active_selection.py runs/active --split validation    to change settings by

Each seed draws a pool of solutions of the base policy (the search of recipe lets_verify). A first PRM learns from the
labels of FIRST solutions drawn at random and selects, as `raystar select` does (Let's Verify Step by Step, section 4.2: 80 %
the most convincing wrong ones). Its choice and a choice at random of the same size are labelled by the curriculum's exact
check, and a PRM learns from each. All judge the same samples of held-out problems: first wrong steps (F1 of ProcessBench)
and best of N. How many labels at random are as good as a selection is read off the line through the means of the choices at
random, over the logarithm of the number. What is done is not done again. Ends with the same as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from actors.sandbox.client.executor import LocalExecutor
from actors.sandbox.config import ExecutorConfig
from benchmarks.commands import RECIPES, needed
from cluster.annotation.file import solutions_file
from cluster.run.directory import DONE
from search import serialization
from search.data import State, Trajectory
from search.grading.grader import grader
from search.problems.curriculum import check_steps, composition_of
from search.storage.files import write_atomic
from search.storage.tree_store import read_trees
from train.data.loading import read_records
from train.labels.annotation_files import write_labelling
from train.labels.prm800k import Completion, LabelledStep, read_rows, write_rows

CONFIG = str(RECIPES / "lets_verify.yaml")
PRM = "--method={rule: checked_labels, policy: null, reward: {objective: prm, start: base}}"
FIRST = 600  # as many as there are problems, as in the paper
SAMPLES = 16
ARMS = ("at random", "selected")


def pool(trees: Path) -> list[Trajectory]:
    """All different finished solutions of stored trees."""
    found = []
    for tree in read_trees(trees):
        for end in tree.terminals():
            right = grader().grade(tree.problem, tree.nodes[end].answer)
            found.append(Trajectory(tree.problem, tree.steps(end), right, 1.0 if right else -1.0))
    return found


def at_random(trees: Path, count: int, seed: int, file: Path) -> None:
    """A labelling file of so many solutions, as `raystar select` writes it."""
    chosen = random.Random(seed).sample(pool(trees), count)
    write_atomic(solutions_file(file), "".join(f"{serialization.dump(one)}\n" for one in chosen))
    write_labelling(chosen, file)


async def label(file: Path) -> None:
    """Rate every step of a labelling file as somebody would who errs never, up to the first wrong one."""
    solutions = read_records(Trajectory, [solutions_file(file)])
    rated = []
    async with LocalExecutor(ExecutorConfig()) as executor:
        for (_, row), solution in zip(read_rows([file], Counter()), solutions, strict=True):
            state = State(solution.problem, solution.steps)
            wrong = await check_steps(composition_of(solution.problem.id), state, executor)
            texts = [step.text for step in solution.steps]
            ratings = [1] * len(texts) if wrong is None else [*[1] * wrong, -1, *[None] * (len(texts) - wrong - 1)]
            steps = tuple(
                LabelledStep((Completion(text, rating),), chosen_completion=0)  # type: ignore[arg-type]
                for text, rating in zip(texts, ratings, strict=True)
            )
            finish = "solution" if wrong is None else "found_error"
            rated.append(replace(row, label=replace(row.label, steps=steps, finish_reason=finish)))  # type: ignore[arg-type]
    write_rows(rated, file)


def trained(folder: Path, name: str, file: Path, seed: int, fields: Sequence[str], log: Path) -> Path:
    """The PRM that learns from a labelling file."""
    common = [CONFIG, "--seed", str(seed), "--rounds=[{}]", PRM]
    harvest, where = folder / f"records-{name}", folder / f"prm-{name}"
    if not (where / "rounds/r1/train_reward_model" / DONE).exists():
        if not (harvest / "rounds/r1/harvest" / DONE).exists():
            needed(["harvest", *common, "--people", str(file)], harvest, log)
        data = harvest / "rounds/r1/harvest/step_labels.jsonl"
        needed(["train", "reward_model", *common, *fields, "--data", str(data)], where, log)
    return where / "rounds/r1/train_reward_model/model"


def judged(folder: Path, name: str, model: Path, seed: int, source: Sequence[str], log: Path) -> dict[str, Any]:
    """What the PRM is worth on problems that it did not learn from; ``source`` names them, or samples of them."""
    where = folder / f"judge-{name}"
    if not (where / "judge.json").exists():
        config = [CONFIG, "--seed", str(seed), f"--evaluation.samples={SAMPLES}"]
        needed(["judge", *config, *source, "--model", str(model)], where, log)
    found = json.loads((where / "judge.json").read_text(encoding="utf-8"))
    curves = found["curves"]
    last = {method: curves["methods"][method][-1]["mean"] for method in ("product", "weighted", "majority")}
    return {"f1": found["steps"]["f1"]["mean"], **last}


def one_seed(
    folder: Path, seed: int, split: str, sizes: Sequence[int], fields: Sequence[str]
) -> dict[str, dict[int, Any]]:
    """What each arm is worth at each number of labelled solutions."""
    log, base = folder / f"seed-{seed}.log", folder / f"pool-{seed}"
    trees = base / "rounds/r1/search"
    if not (trees / DONE).exists():
        needed(["search", CONFIG, "--seed", str(seed), "--rounds=[{}]"], base, log)
    first = folder / f"first-{seed}.jsonl"
    if not first.exists():
        at_random(trees, FIRST, seed, first)
        asyncio.run(label(first))
    selector = trained(folder, f"first-{seed}", first, seed, fields, log)
    found: dict[str, dict[int, Any]] = {arm: {} for arm in ARMS}
    judged(folder, f"{split}-first-{seed}", selector, seed, ["--split", split], log)
    samples = ["--trees", str(folder / f"judge-{split}-first-{seed}/rounds/judge/samples")]
    for size in sizes:
        for arm in ARMS:
            name = f"{arm.replace(' ', '-')}-{size}-{seed}"
            file = folder / f"{name}.jsonl"
            if not (folder / f"prm-{name}").exists():
                if arm == ARMS[0]:
                    at_random(trees, size, seed + 1, file)
                elif not file.exists():
                    select = ["--model", str(selector), "--trees", str(trees), "--together", "--count", str(size)]
                    config = [CONFIG, "--seed", str(seed), "--output", str(file)]
                    needed(["select", *config, *select], folder / f"select-{name}", log)
                asyncio.run(label(file))
            model = trained(folder, name, file, seed, fields, log)
            found[arm][size] = judged(folder, f"{split}-{name}", model, seed, samples, log)
    return found


def as_good_at_random(at: Sequence[float], values: Sequence[float], value: float) -> float | None:
    """How many labels at random give ``value``, by the straight line from one number to the next over the logarithm of the
    number; None where all give less, or all more."""
    for left, right, low, high in zip(at, at[1:], values, values[1:], strict=False):
        if min(low, high) <= value <= max(low, high) and low != high:
            share = (value - low) / (high - low)
            return math.exp((1 - share) * math.log(left) + share * math.log(right))
    return None


def ratios(seeds: Sequence[dict[str, dict[int, Any]]], sizes: Sequence[int], measure: str) -> dict[int, float | None]:
    """For each number of selected labels how many times as many at random are as good; None beyond what was tried."""
    random_arm, selected = ([fmean(found[arm][size][measure] for found in seeds) for size in sizes] for arm in ARMS)
    equal = {size: as_good_at_random(sizes, random_arm, value) for size, value in zip(sizes, selected, strict=True)}
    return {size: None if count is None else count / size for size, count in equal.items()}


def show(seeds: Sequence[dict[str, dict[int, Any]]], sizes: Sequence[int]) -> None:
    """Means over seeds, the range of the seeds, how many labels selection saves, then JSON."""
    measures = {"f1": "F1 of first wrong steps", "product": f"best of {SAMPLES}", "weighted": "weighted vote"}
    print(f"| labelled solutions | chosen | {' | '.join(measures.values())} |")
    print("|---" * (2 + len(measures)) + "|")
    for size in sizes:
        for arm in ARMS:
            cells = [[found[arm][size][measure] for found in seeds] for measure in measures]
            told = [f"{100 * fmean(one):.1f} ({100 * min(one):.1f}–{100 * max(one):.1f})" for one in cells]
            print(f"| {size} | {arm} | {' | '.join(told)} |")
    majority = fmean(found[arm][size]["majority"] for found in seeds for arm in ARMS for size in sizes)
    print(f"\nmajority of {SAMPLES}: {100 * majority:.1f} %")
    saved = {measure: ratios(seeds, sizes, measure) for measure in measures}
    for measure, of_size in saved.items():
        line = ", ".join(f"{size}: {'–' if ratio is None else f'{ratio:.2f}'}" for size, ratio in of_size.items())
        print(f"labels at random for each selected one, at equal {measures[measure]}: {line}")
    print(json.dumps({"seeds": seeds, "ratios": saved}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where everything is kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--split", default="heldout", choices=("heldout", "validation"))
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[300, 600, 1200, 2400], help="labelled solutions (count), in order"
    )
    args, fields = parser.parse_known_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    folder = args.folder.resolve()
    show([one_seed(folder, seed, args.split, args.sizes, fields) for seed in args.seeds], args.sizes)


if __name__ == "__main__":
    main()
