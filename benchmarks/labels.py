"""Measure how good step labels are and what they cost: each kind against the curriculum's exact check of every step.

    python benchmarks/labels.py                                     labels of the base policy's solutions, three seeds
    python benchmarks/labels.py --policy DIR --reward-model DIR     of another policy; and those that a reward model agrees with

Every kind labels solutions of the same problems, other ones for each seed:

    math_shepherd       k completions after every step, correct if any of them is
    first_error_search  the same k where a binary search for the first error looks (OmegaPRM)
    sampling            correct if any of the samples with this prefix is
    mcts                correct if any end below the step in the tree is

The table has F1 of ProcessBench and the share of solutions whose first error, or its absence, the labels say exactly.
Completions and tokens are per labelled solution, all that was drawn for it included. The last line is the same as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from actors.sandbox.client.executor import LocalExecutor
from cluster.commands.ray_commands import resolve_models
from cluster.config import overrides
from cluster.config import run_config as configs
from cluster.run import preflight
from cluster.run.context import Context, Invocation, open_context
from cluster.run.models import Models
from cluster.run.prompting import load_shots
from cluster.searches.runner import SearchPlan, SearchRunner
from search.data import Cost, LabelledSolution, LabelScale, Problem, State
from search.problems.curriculum import check_steps, composition_of
from search.storage.tree_store import read_trees
from search.strategies.registry import revise
from search.tree import Tree
from train.labels.consensus import filter_by_consensus, solution_key
from train.labels.quality import measure_quality, quality_table
from train.labels.tree_labels import label_tree, score_labels

DEFAULT = Path(__file__).resolve().parents[1] / "configs" / "recipes" / "lets_verify.yaml"
SOLUTIONS = 4
REWARD_THRESHOLD = 0.5  # the reward model calls a step incorrect at a reward of no more than this
STEP_LABELLING = ("math_shepherd", "first_error_search")

CheckedSolutions = list[tuple[LabelledSolution, int | None]]  # each with its exact first error
FirstErrors = dict[tuple[str, ...], int | None]  # solution key -> exact first error


def label_searches(completions: Iterable[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the search options of every kind."""
    for strategy in STEP_LABELLING:
        for k in completions:
            yield f"{strategy}, k = {k}", {"strategy": strategy, "candidates": k, "solutions": SOLUTIONS}
    yield "sampling, 32", {"strategy": "sampling", "candidates": 32}
    never_stop = {"stop_after_correct": 0, "stop_after_incorrect": 0}
    yield "mcts, 16 x 4", {"strategy": "mcts", "rollouts": 16, "candidates": 4, **never_stop}


def hard_labels(trees: Iterable[Tree]) -> Iterator[LabelledSolution]:
    """Yield the hard labels of each tree's solutions. The first of them carries the cost of the tree."""
    for tree in trees:
        completions, cost = sum(node.completions for node in tree.nodes), tree.cost
        for record in label_tree(tree, LabelScale.SIGN, SOLUTIONS, SOLUTIONS):
            yield LabelledSolution(record, completions, cost)
            completions, cost = 0, Cost()


def consensus_labels(trees: Iterable[Tree]) -> Iterator[LabelledSolution]:
    """Yield the hard labels that agree with the reward model, which scored the trees."""
    for tree in trees:
        by_key = {solution_key(labelled.record): labelled for labelled in hard_labels([tree])}
        reward_labels = score_labels(tree, SOLUTIONS, SOLUTIONS)
        agreed, _ = filter_by_consensus(
            [labelled.record for labelled in by_key.values()], reward_labels, judge_threshold=REWARD_THRESHOLD
        )
        yield from (by_key[solution_key(record)] for record in agreed)


async def join_exact_checks(
    context: Context, solutions: list[LabelledSolution], first_errors: FirstErrors
) -> CheckedSolutions:
    """Return the solutions with their exact first errors, which ``first_errors`` caches."""
    async with LocalExecutor(context.config.executor) as executor:
        for labelled in solutions:
            record, key = labelled.record, solution_key(labelled.record)
            if key not in first_errors:
                state = State(record.problem, record.steps)
                first_errors[key] = await check_steps(composition_of(record.problem.id), state, executor)
    return [(labelled, first_errors[solution_key(labelled.record)]) for labelled in solutions]


def measure(
    context: Context, models: Models, problems: list[tuple[Problem, ...]], completions: list[int], work: Path
) -> dict[str, list[CheckedSolutions]]:
    """Return checked solutions by kind, a list for each seed."""
    by_kind: dict[str, list[CheckedSolutions]] = {}
    with SearchRunner(context) as runner:
        for seed, seed_problems in enumerate(problems):
            first_errors: FirstErrors = {}
            for index, (kind, options) in enumerate(label_searches(completions)):
                reward_model = models.reward_model if options["strategy"] in STEP_LABELLING else None
                plan = SearchPlan(
                    config=revise(context.config.search, options),
                    policy=models.policy,
                    reward_model=reward_model,
                    problems=seed_problems,
                    seed=("labels", seed),
                    label=f"seed {seed}: {kind}",
                )
                directory = work / f"{seed}-{index}"
                runner.run(plan, directory)
                kinds = {kind: hard_labels}
                if reward_model is not None:
                    kinds[f"{kind}, agreed"] = consensus_labels
                for name, labels_of in kinds.items():
                    solutions = list(labels_of(read_trees(directory)))
                    joined = asyncio.run(join_exact_checks(context, solutions, first_errors))
                    by_kind.setdefault(name, []).append(joined)
    return by_kind


def show(by_kind: dict[str, list[CheckedSolutions]]) -> None:
    """Print a table over all seeds and the F1 of each seed, then JSON."""
    overall = {kind: measure_quality(pair for seed in seeds for pair in seed) for kind, seeds in by_kind.items()}
    f1_by_seed = {kind: [measure_quality(seed).rates()["f1"] for seed in seeds] for kind, seeds in by_kind.items()}
    print(quality_table(overall))
    print("\nF1 of each seed, %:")
    for kind, values in f1_by_seed.items():
        print(f"  {kind}: {', '.join('–' if f1 is None else f'{100 * f1:.1f}' for f1 in values)}")
    print(json.dumps({kind: {**overall[kind].to_json(), "f1_by_seed": f1_by_seed[kind]} for kind in by_kind}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=DEFAULT, help="problems, base policy and sampling")
    parser.add_argument("--policy", type=Path, help="whose solutions are labelled (default: the config's base policy)")
    parser.add_argument("--reward-model", type=Path, help="reward model for labels that it agrees with (default: none)")
    parser.add_argument("--problems", type=int, default=60, help="training problems a seed (count)")
    parser.add_argument("--seeds", type=int, default=3, help="seeds (count)")
    parser.add_argument("--completions", type=int, nargs="+", default=[2, 4, 8], help="k, completions of a prefix")
    args, fields = parser.parse_known_args()
    config = configs.load(args.config, overrides.parse(fields))
    config, sets = preflight.check_config(config)
    parts = [sets.train[seed * args.problems : (seed + 1) * args.problems] for seed in range(args.seeds)]
    if len(parts[-1]) < args.problems:
        sys.exit(
            f"{args.seeds} x {args.problems} problems are needed: --problems.train.count={len(sets.train)} is too low"
        )
    with tempfile.TemporaryDirectory(prefix="raystar-benchmark-") as work:
        invocation = Invocation(
            command="benchmark",
            config=config,
            root=Path(work) / "run",
            address=None,
            problems=sets,
            shots=load_shots(config.policy),
        )
        with open_context(invocation) as context:
            models = resolve_models(context, args.policy, args.reward_model)
            by_kind = measure(context, models, parts, args.completions, Path(work))
        show(by_kind)


if __name__ == "__main__":
    main()
