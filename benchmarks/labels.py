"""How good step labels are and what they cost: each kind against the curriculum's exact check of every step.

    python benchmarks/labels.py                         labels of the base policy's solutions, three seeds
    python benchmarks/labels.py --policy DIR --reward-model DIR  of another policy; and those that a reward model agrees with

Every kind labels solutions of the same problems, other ones for each seed:

    every step   k completions after every step (Math-Shepherd), right where any of them is
    first error  the same k where a binary search for the first error looks (OmegaPRM)
    samples      right where any of the samples that begin so is
    mcts         right where any end below the step in the tree is

"place right" is the share of solutions whose first wrong step, or its absence, the labels say exactly, F1 is ProcessBench's;
completions and tokens are a labelled solution, all that was drawn for it included. Ends with the same as JSON.
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
from cluster.commands.jobs import given
from cluster.config import overrides
from cluster.config import run_config as configs
from cluster.run import preflight
from cluster.run.context import Context, Invocation, running
from cluster.run.models import Models
from cluster.searches.runner import SearchPlan, SearchRunner
from search.config import LABELLING
from search.data import Cost, LabelledSolution, LabelScale, Problem, State
from search.problems.curriculum import check_steps, composition_of
from search.storage.tree_store import read_trees
from search.tree import Tree
from train.labels.consensus import consensus, solution_key
from train.labels.quality import Quality, quality, table
from train.labels.tree_labels import score_labels, tree_labels

DEFAULT = Path(__file__).resolve().parents[1] / "configs" / "recipes" / "lets_verify.yaml"
SOLUTIONS = 4
JUDGE_THRESHOLD = 0.5  # a reward of no more than this share is a wrong step to the reward model

Measured = list[tuple[LabelledSolution, int | None]]
Truths = dict[tuple[str, ...], int | None]


def kinds(completions: Iterable[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and search of every kind."""
    for strategy in LABELLING:
        for k in completions:
            fields = {"strategy": strategy, "candidates": k, "solutions": SOLUTIONS}
            yield f"{strategy.replace('_', ' ')}, k = {k}", fields
    yield "samples, 32", {"strategy": "samples", "candidates": 32}
    yield "mcts, 16 x 4", {"strategy": "mcts", "rollouts": 16, "candidates": 4, "enough_right": 0, "enough_wrong": 0}


def labelled(trees: Iterable[Tree]) -> Iterator[LabelledSolution]:
    """Hard labels of each tree's solutions; the first of them bears the cost of the tree."""
    for tree in trees:
        completions, cost = sum(node.completions for node in tree.nodes), tree.cost
        for record in tree_labels(tree, LabelScale.SIGN, SOLUTIONS, SOLUTIONS):
            yield LabelledSolution(record, completions, cost)
            completions, cost = 0, Cost()


def agreed(trees: Iterable[Tree]) -> Iterator[LabelledSolution]:
    """Those of them that the reward model, which scored the trees, agrees with."""
    for tree in trees:
        own = {solution_key(one.record): one for one in labelled([tree])}
        judged = score_labels(tree, SOLUTIONS, SOLUTIONS)
        kept, _ = consensus([one.record for one in own.values()], judged, judge_threshold=JUDGE_THRESHOLD)
        yield from (own[solution_key(record)] for record in kept)


async def with_truth(context: Context, found: list[LabelledSolution], known: Truths) -> Measured:
    """The solutions with their first wrong step; ``known`` remembers it."""
    async with LocalExecutor(context.config.executor) as executor:
        for one in found:
            record = one.record
            if solution_key(record) not in known:
                state = State(record.problem, record.steps)
                known[solution_key(record)] = await check_steps(composition_of(record.problem.id), state, executor)
    return [(one, known[solution_key(one.record)]) for one in found]


def measure(
    context: Context, models: Models, problems: list[tuple[Problem, ...]], completions: list[int], work: Path
) -> dict[str, list[Measured]]:
    """Labelled solutions with their truth, by kind, one list a seed."""
    found: dict[str, list[Measured]] = {}
    with SearchRunner(context) as searchers:
        for seed, some in enumerate(problems):
            known: Truths = {}
            for place, (name, fields) in enumerate(kinds(completions)):
                scored = models.reward_model if fields["strategy"] in LABELLING else None
                config = context.config.search.model_copy(update=fields)
                plan = SearchPlan(config, models.policy, scored, some, ("labels", seed), f"seed {seed}: {name}")
                directory = work / f"{seed}-{place}"
                searchers.run(plan, directory)
                own = list(labelled(read_trees(directory)))
                found.setdefault(name, []).append(asyncio.run(with_truth(context, own, known)))
                if scored is not None:
                    kept = list(agreed(read_trees(directory)))
                    found.setdefault(f"{name}, agreed", []).append(asyncio.run(with_truth(context, kept, known)))
    return found


def show(found: dict[str, list[Measured]]) -> None:
    """A table over all seeds, the F1 of each, and as the last line the same as JSON."""
    over_all = {name: quality(pair for seed in seeds for pair in seed) for name, seeds in found.items()}
    each = {name: [quality(seed) for seed in seeds] for name, seeds in found.items()}
    print(table(over_all))
    print("\nF1 of each seed, %:")
    for name, seeds in each.items():
        print(f"  {name}: {', '.join(map(_f1, seeds))}")
    print(
        json.dumps(
            {
                name: {**over_all[name].facts(), "f1_by_seed": [one.rates()["f1"] for one in each[name]]}
                for name in found
            }
        )
    )


def _f1(one: Quality) -> str:
    f1 = one.rates()["f1"]
    return "–" if f1 is None else f"{100 * f1:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=DEFAULT, help="problems, base policy and sampling")
    parser.add_argument("--policy", type=Path, help="whose solutions are labelled (default: the config's base policy)")
    parser.add_argument("--reward-model", type=Path, help="reward model for labels that it agrees with (default: none)")
    parser.add_argument("--problems", type=int, default=60, help="training problems a seed (count)")
    parser.add_argument("--seeds", type=int, default=3, help="seeds (count)")
    parser.add_argument("--completions", type=int, nargs="+", default=[2, 4, 8], help="k, completions of a prefix")
    args, rest = parser.parse_known_args()
    config = configs.load(args.config, overrides.parse(rest))
    sets = preflight.inputs(config)
    parts = [sets.train[seed * args.problems : (seed + 1) * args.problems] for seed in range(args.seeds)]
    if len(parts[-1]) < args.problems:
        sys.exit(
            f"{args.seeds} x {args.problems} problems are needed: --problems.train.count={len(sets.train)} is too low"
        )
    with tempfile.TemporaryDirectory(prefix="raystar-benchmark-") as work:
        job = Invocation("benchmark", config, Path(work) / "run", None, sets, preflight.shots(config.policy))
        with running(job) as context:
            found = measure(
                context, given(context, args.policy, args.reward_model), parts, args.completions, Path(work)
            )
        show(found)


if __name__ == "__main__":
    main()
