"""Measure how many labels active selection saves: a PRM chooses the solutions that a person labels, or chance does.

    python benchmarks/active_selection.py runs/active                       three seeds, held-out problems
    python benchmarks/active_selection.py runs/active --split validation    to change settings by

Each seed draws a pool of solutions of the base policy (the search of recipe lets_verify). A first PRM learns from the
labels of FIRST_COUNT random solutions and selects, as `raystar select` does (Let's Verify Step by Step, section 4.2: 80 %
the most convincing incorrect ones). Its selection and a random one of the same size are labelled by the curriculum's exact
check, and a PRM learns from each. All PRMs score the same samples of held-out problems: first incorrect steps (F1 of
ProcessBench) and best of N. How many random labels are as good as a selection follows by linear interpolation between the
means of the random arm, over the logarithm of the number of labels. What is done is not done again. The last line is the
same as JSON.
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
from benchmarks.commands import RECIPES, require_raystar
from benchmarks.reward_models import format_range
from cluster.annotation.file import solutions_file
from cluster.run.directory import DONE
from search import serialization
from search.data import State, Trajectory
from search.grading.grader import grader
from search.problems.curriculum import check_steps, composition_of
from search.storage.files import write_text
from search.storage.tree_store import read_trees
from train.data.records import read_records, write_records
from train.labels.annotation_files import write_annotation_file
from train.labels.prm800k import Completion, LabelledStep, read_rows

CONFIG = str(RECIPES / "lets_verify.yaml")
PRM = "--method={rule: checked_labels, policy: null, reward_model: {objective: prm, start: base}}"
FIRST_COUNT = 600  # as many as there are problems, as in the paper
SAMPLES = 16
RANDOM, SELECTED = ARMS = ("random", "selected")

SeedResult = dict[str, dict[int, dict[str, float]]]  # arm -> number of labelled solutions -> measures of the PRM


def read_solutions(trees: Path) -> list[Trajectory]:
    """Return all different finished solutions of stored trees."""
    solutions = []
    for tree in read_trees(trees):
        for terminal in tree.terminals():
            correct = grader().grade(tree.problem, tree.nodes[terminal].answer)
            solutions.append(
                Trajectory(tree.problem, tree.steps(terminal), correct=correct, q=1.0 if correct else -1.0)
            )
    return solutions


def write_random_selection(trees: Path, count: int, seed: int, file: Path) -> None:
    """Write a labelling file of ``count`` random solutions, as `raystar select` writes it."""
    chosen = random.Random(seed).sample(read_solutions(trees), count)
    write_text(solutions_file(file), "".join(f"{serialization.dump(solution)}\n" for solution in chosen))
    write_annotation_file(chosen, file)


async def label_exactly(file: Path) -> None:
    """Rate the steps of a labelling file as an infallible person would, up to the first incorrect one."""
    solutions = read_records(Trajectory, [solutions_file(file)])
    rated = []
    async with LocalExecutor(ExecutorConfig()) as executor:
        for (_, row), solution in zip(read_rows([file], Counter()), solutions, strict=True):
            state = State(solution.problem, solution.steps)
            first_error = await check_steps(composition_of(solution.problem.id), state, executor)
            texts = [step.text for step in solution.steps]
            ratings: list[Any] = [1] * len(texts)
            if first_error is not None:
                ratings = [*[1] * first_error, -1, *[None] * (len(texts) - first_error - 1)]
            steps = tuple(
                LabelledStep((Completion(text, rating),), chosen_completion=0)
                for text, rating in zip(texts, ratings, strict=True)
            )
            finish = "solution" if first_error is None else "found_error"
            rated.append(replace(row, label=replace(row.label, steps=steps, finish_reason=finish)))  # type: ignore[arg-type]
    write_records(rated, file)


def train_prm(folder: Path, name: str, file: Path, seed: int, overrides: Sequence[str], log: Path) -> Path:
    """Train the PRM that learns from a labelling file, unless it exists, and return its directory."""
    common = [CONFIG, "--seed", str(seed), "--rounds=[{}]", PRM]
    harvest_dir, train_dir = folder / f"records-{name}", folder / f"prm-{name}"
    if not (train_dir / "rounds/r1/train_reward_model" / DONE).exists():
        if not (harvest_dir / "rounds/r1/harvest" / DONE).exists():
            require_raystar(["harvest", *common, "--labels", str(file)], harvest_dir, log)
        data = harvest_dir / "rounds/r1/harvest/step_labels.jsonl"
        require_raystar(["train", "reward_model", *common, *overrides, "--data", str(data)], train_dir, log)
    return train_dir / "rounds/r1/train_reward_model/model"


def evaluate_prm(folder: Path, name: str, model: Path, seed: int, source: Sequence[str], log: Path) -> dict[str, float]:
    """Return the PRM's F1 and its accuracies at the largest N. ``source``: arguments that name problems or samples."""
    run_dir = folder / f"reward-eval-{name}"
    if not (run_dir / "reward_eval.json").exists():
        config = [CONFIG, "--seed", str(seed), f"--evaluation.samples={SAMPLES}"]
        require_raystar(["eval-reward-model", *config, *source, "--model", str(model)], run_dir, log)
    evaluation = json.loads((run_dir / "reward_eval.json").read_text(encoding="utf-8"))
    methods = evaluation["curves"]["methods"]
    accuracies = {method: methods[method][-1]["mean"] for method in ("product", "weighted", "majority")}
    return {"f1": evaluation["steps"]["f1"]["mean"], **accuracies}


def run_seed(folder: Path, seed: int, split: str, sizes: Sequence[int], overrides: Sequence[str]) -> SeedResult:
    """Return the measures of each arm at each number of labelled solutions."""
    log, pool_dir = folder / f"seed-{seed}.log", folder / f"pool-{seed}"
    trees = pool_dir / "rounds/r1/search"
    if not (trees / DONE).exists():
        require_raystar(["search", CONFIG, "--seed", str(seed), "--rounds=[{}]"], pool_dir, log)
    first = folder / f"first-{seed}.jsonl"
    if not first.exists():
        write_random_selection(trees, FIRST_COUNT, seed, first)
        asyncio.run(label_exactly(first))
    selector = train_prm(folder, f"first-{seed}", first, seed, overrides, log)
    result: SeedResult = {arm: {} for arm in ARMS}
    evaluate_prm(folder, f"{split}-first-{seed}", selector, seed, ["--split", split], log)
    samples = ["--trees", str(folder / f"reward-eval-{split}-first-{seed}/rounds/reward_eval/samples")]
    for size in sizes:
        for arm in ARMS:
            name = f"{arm}-{size}-{seed}"
            file = folder / f"{name}.jsonl"
            if not (folder / f"prm-{name}").exists():
                if arm == RANDOM:
                    write_random_selection(trees, size, seed + 1, file)
                elif not file.exists():
                    select = ["--model", str(selector), "--trees", str(trees), "--together", "--count", str(size)]
                    config = [CONFIG, "--seed", str(seed), "--output", str(file)]
                    require_raystar(["select", *config, *select], folder / f"select-{name}", log)
                asyncio.run(label_exactly(file))
            model = train_prm(folder, name, file, seed, overrides, log)
            result[arm][size] = evaluate_prm(folder, f"{split}-{name}", model, seed, samples, log)
    return result


def equivalent_random_count(sizes: Sequence[float], measures: Sequence[float], measure: float) -> float | None:
    """Return how many random labels give ``measure``: linear interpolation over the logarithm of the number.

    None where all numbers give less, or all more.
    """
    for left, right, low, high in zip(sizes, sizes[1:], measures, measures[1:], strict=False):
        if min(low, high) <= measure <= max(low, high) and low != high:
            share = (measure - low) / (high - low)
            return math.exp((1 - share) * math.log(left) + share * math.log(right))
    return None


def savings(seeds: Sequence[SeedResult], sizes: Sequence[int], measure: str) -> dict[int, float | None]:
    """Return for each number of selected labels how many random labels each is worth; None beyond the sizes tried."""
    random_means, selected_means = (
        [fmean(result[arm][size][measure] for result in seeds) for size in sizes] for arm in ARMS
    )
    equivalents = {
        size: equivalent_random_count(sizes, random_means, mean)
        for size, mean in zip(sizes, selected_means, strict=True)
    }
    return {size: None if count is None else count / size for size, count in equivalents.items()}


def show(seeds: Sequence[SeedResult], sizes: Sequence[int]) -> None:
    """Print means over seeds, their range and how many labels selection saves, then JSON."""
    measures = {"f1": "F1 of first incorrect steps", "product": f"best of {SAMPLES}", "weighted": "weighted vote"}
    print(f"| labelled solutions | chosen | {' | '.join(measures.values())} |")
    print("|---" * (2 + len(measures)) + "|")
    for size in sizes:
        for arm in ARMS:
            cells = [format_range([result[arm][size][measure] for result in seeds]) for measure in measures]
            print(f"| {size} | {arm} | {' | '.join(cells)} |")
    majority = fmean(result[arm][size]["majority"] for result in seeds for arm in ARMS for size in sizes)
    print(f"\nmajority of {SAMPLES}: {100 * majority:.1f} %")
    ratios = {measure: savings(seeds, sizes, measure) for measure in measures}
    for measure, by_size in ratios.items():
        line = ", ".join(f"{size}: {'–' if ratio is None else f'{ratio:.2f}'}" for size, ratio in by_size.items())
        print(f"random labels that a selected one is worth, at equal {measures[measure]}: {line}")
    print(json.dumps({"seeds": seeds, "ratios": ratios}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where everything is kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--split", default="heldout", choices=("heldout", "validation"))
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[300, 600, 1200, 2400], help="labelled solutions (count), in order"
    )
    args, overrides = parser.parse_known_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    folder = args.folder.resolve()
    show([run_seed(folder, seed, args.split, args.sizes, overrides) for seed in args.seeds], args.sizes)


if __name__ == "__main__":
    main()
