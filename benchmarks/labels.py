"""Measure how good step labels are and what one costs: each kind against the curriculum's exact check of every step.

    python benchmarks/labels.py                                     every kind, seeds 0, 1, 2
    python benchmarks/labels.py --only omega_prm --completions 8    some of them
    python benchmarks/labels.py --read                              the tables of what is finished; runs nothing
    python benchmarks/labels.py --policy DIR --reward-model DIR     of another policy; and those that a reward model agrees with

Every kind labels solutions of the same problems, other ones for each seed:

    math_shepherd       k completions after every step of four solutions; soft: the share that is correct, hard: if any is
    first_error_search  the same k where a binary search for the first error looks, in four solutions
    omega_prm           OmegaPRM's tree: four binary searches in the incorrect rollouts that it drew itself, k of each state
    sampling            32 samples; a step is correct if any of the samples with this prefix is
    mcts                correct if any end below the step in the tree is

A cell is a kind and a seed. Finished cells are lines of docs/results/labels.jsonl (`--results FILE` for another file) and are
not measured again. The first table has F1 of ProcessBench and the share of solutions whose first error, or its absence, the
hard labels say exactly; completions and tokens there are all that was drawn for the problems, per labelled solution. The
second has what one label costs, problems without a label included. omega_prm labels only problems of which some of its first
k rollouts are correct and some are not, so its solutions are not those of the others. Other options are fields of the
config. The last line is the same as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from actors.sandbox.client.executor import LocalExecutor
from benchmarks.commands import RECIPES, ROOT
from benchmarks.harvest_ablation import made_by
from benchmarks.invocations import benchmark_context
from benchmarks.label_cells import (
    LabelCell,
    cost_table,
    count_labels,
    rows_by_kind,
)
from benchmarks.result_files import append_result, read_results
from cluster.commands.ray_commands import resolve_models
from cluster.config import overrides
from cluster.config import run_config as configs
from cluster.run import preflight
from cluster.run.context import Context
from cluster.run.models import Models
from cluster.run.prompting import load_shots
from cluster.searches.runner import SearchPlan, SearchRunner
from search.data import LabelledSolution, LabelScale, Problem, State, StepLabels
from search.problems.curriculum import check_steps, composition_of
from search.storage.tree_store import read_trees
from search.strategies.registry import revise
from search.tree import Tree
from train.labels.consensus import filter_by_consensus, solution_key
from train.labels.quality import measure_quality, quality_table
from train.labels.tree_labels import label_tree, score_labels

DEFAULT = RECIPES / "lets_verify.yaml"
RESULTS = ROOT / "docs" / "results" / "labels.jsonl"
SOLUTIONS = 4
REWARD_THRESHOLD = 0.5  # the reward model calls a step incorrect at a reward of no more than this
BY_COMPLETION = {"math_shepherd": "solutions", "first_error_search": "solutions", "omega_prm": "search_limit"}
AGREED = ", agreed"
KINDS = (*BY_COMPLETION, "sampling", "mcts")

FirstErrors = dict[tuple[str, ...], int | None]  # solution key -> exact first error


def label_searches(names: Sequence[str], completions: Iterable[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the search options of every kind."""
    for strategy, option in BY_COMPLETION.items():
        for k in completions if strategy in names else ():
            yield f"{strategy}, k = {k}", {"strategy": strategy, "candidates": k, option: SOLUTIONS}
    never_stop = {"stop_after_correct": 0, "stop_after_incorrect": 0}
    others = {
        "sampling": ("sampling, 32", {"candidates": 32}),
        "mcts": ("mcts, 16 x 4", {"rollouts": 16, "candidates": 4, **never_stop}),
    }
    for strategy, (kind, options) in others.items():
        if strategy in names:
            yield kind, {"strategy": strategy, **options}


def hard_labels(trees: Iterable[Tree]) -> Iterator[StepLabels]:
    """Yield the hard labels of each tree's solutions; those of a rollout that OmegaPRM did not search are none."""
    for tree in trees:
        for record in label_tree(tree, LabelScale.SIGN, SOLUTIONS, SOLUTIONS):
            if any(label is not None for label in record.labels):
                yield record


def consensus_labels(trees: Iterable[Tree]) -> Iterator[StepLabels]:
    """Yield the hard labels that agree with the reward model, which scored the trees."""
    for tree in trees:
        reward_labels = score_labels(tree, SOLUTIONS, SOLUTIONS)
        agreed, _ = filter_by_consensus(hard_labels([tree]), reward_labels, judge_threshold=REWARD_THRESHOLD)
        yield from agreed


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What all cells of one call share. ``policy``: its name in the cells."""

    context: Context
    models: Models
    runner: SearchRunner
    policy: str
    overrides: tuple[str, ...]

    def cells(
        self, kind: str, options: dict[str, Any], seed: int, problems: tuple[Problem, ...], first_errors: FirstErrors
    ) -> Iterator[LabelCell]:
        """Search the problems of a seed by one kind; yield its cell, and one of the labels that a reward model agrees with."""
        judge = self.models.reward_model if options["strategy"] in BY_COMPLETION else None
        plan = SearchPlan(
            config=revise(self.context.config.search, options),
            policy=self.models.policy,
            reward_model=judge,
            problems=problems,
            seed=("labels", seed),
            label=f"seed {seed}: {kind}",
        )
        sorts: dict[str, Callable[[Iterable[Tree]], Iterator[StepLabels]]] = {kind: hard_labels}
        if judge is not None:
            sorts[f"{kind}{AGREED}"] = consensus_labels
        with tempfile.TemporaryDirectory(prefix="raystar-labels-") as directory:
            self.runner.run(plan, Path(directory))
            trees = list(read_trees(Path(directory)))
        soft, hard, hard_correct = count_labels(trees)
        completions = sum(node.completions for tree in trees for node in tree.nodes)
        tokens = sum(tree.cost.generated_tokens for tree in trees)
        for name, labels_of in sorts.items():
            labelled = list(labels_of(trees))
            exact = asyncio.run(exact_first_errors(self.context, labelled, first_errors))
            quality = measure_quality(zip(map(LabelledSolution, labelled), exact, strict=True))
            yield LabelCell(
                kind=name,
                seed=seed,
                problems=len(problems),
                policy=self.policy,
                overrides=self.overrides,
                **made_by(self.context.run.root),
                quality=replace(quality, completions=completions, generated_tokens=tokens),
                soft=soft,
                hard=hard,
                hard_correct=hard_correct,
            )


async def exact_first_errors(
    context: Context, solutions: Sequence[StepLabels], first_errors: FirstErrors
) -> list[int | None]:
    """Return the exact first error of each solution; ``first_errors`` caches them."""
    async with LocalExecutor(context.config.executor) as executor:
        for record in solutions:
            if (key := solution_key(record)) not in first_errors:
                state = State(record.problem, record.steps)
                first_errors[key] = await check_steps(composition_of(record.problem.id), state, executor)
    return [first_errors[solution_key(record)] for record in solutions]


def measure(args: argparse.Namespace, fields: tuple[str, ...], wanted: list[tuple[str, dict[str, Any], int]]) -> None:
    """Measure the wanted cells and add each to the results once it is finished."""
    config, sets = preflight.check_config(configs.load(args.config, overrides.parse(list(fields))))
    needed = (max(args.seeds) + 1) * args.problems
    if len(sets.train) < needed:
        sys.exit(f"{needed} problems are needed for these seeds: --problems.train.count={len(sets.train)} is too low")
    with benchmark_context(config, sets, load_shots(config.policy)) as context, SearchRunner(context) as runner:
        measurement = Measurement(
            context=context,
            models=resolve_models(context, args.policy, args.reward_model),
            runner=runner,
            policy=policy_name(args),
            overrides=fields,
        )
        first_errors: FirstErrors = {}
        for kind, options, seed in wanted:
            problems = sets.train[seed * args.problems : (seed + 1) * args.problems]
            for cell in measurement.cells(kind, options, seed, problems, first_errors):
                append_result(args.results, cell)


def policy_name(args: argparse.Namespace) -> str:
    """Return the name of the models, and of a config other than the default, that cells are stored under."""
    config = args.config.stem if args.config != DEFAULT else None
    return " and ".join(str(name) for name in (args.policy or "base", args.reward_model, config) if name)


def show(cells: Sequence[LabelCell]) -> None:
    """Print the tables over all seeds and the F1 of each seed, then JSON."""
    rows = rows_by_kind(cells)
    print(quality_table({kind: row.quality for kind, row in rows.items()}))
    print("\nF1 of each seed, %:")
    for kind, row in rows.items():
        print(f"  {kind}: {', '.join('–' if f1 is None else f'{100 * f1:.1f}' for f1 in row.f1_by_seed)}")
    searched = {kind: row for kind, row in rows.items() if not kind.endswith(AGREED)}
    print(f"\n{cost_table(searched)}")
    print(json.dumps({kind: {**asdict(row), **row.quality.rates(), **row.costs()} for kind, row in rows.items()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=DEFAULT, help="problems, base policy and sampling")
    parser.add_argument("--policy", type=Path, help="whose solutions are labelled (default: the config's base policy)")
    parser.add_argument("--reward-model", type=Path, help="reward model for labels that it agrees with (default: none)")
    parser.add_argument("--only", nargs="+", default=list(KINDS), choices=KINDS, metavar="KIND")
    parser.add_argument("--problems", type=int, default=60, help="training problems a seed (count)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--completions", type=int, nargs="+", default=[2, 4, 8], help="k, completions of a prefix")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file with the finished cells")
    parser.add_argument("--read", action="store_true", help="show the cells in the file, run nothing")
    args, rest = parser.parse_known_args()
    fields, name = tuple(rest), policy_name(args)
    searches = [
        (kind, options, seed) for seed in args.seeds for kind, options in label_searches(args.only, args.completions)
    ]
    finished = {cell.key for cell in read_results(LabelCell, args.results)}
    missing = [
        (kind, options, seed)
        for kind, options, seed in searches
        if (kind, seed, args.problems, name, fields) not in finished
    ]
    if missing and not args.read:
        measure(args, fields, missing)
    kinds = [kind for kind, _, seed in searches if seed == args.seeds[0]]
    order = [f"{kind}{suffix}" for kind in kinds for suffix in ("", AGREED)]
    by_key = {cell.key: cell for cell in read_results(LabelCell, args.results)}
    keys = [(kind, seed, args.problems, name, fields) for kind in order for seed in args.seeds]
    show([by_key[key] for key in keys if key in by_key])


if __name__ == "__main__":
    main()
