"""``raystar compare``: compare search strategies at equal numbers of generated tokens, or read such a run again."""

from __future__ import annotations

import argparse

from rich.console import Console

from cluster.commands import options
from cluster.evaluation.stored_comparison import read_comparison, write_comparison
from cluster.plan import stages, text
from cluster.plan.parameters import model_parameters
from cluster.report import comparison
from cluster.run import inventory, manifest
from cluster.run.context import open_context
from cluster.run.directory import MANIFEST
from search.errors import UserError

HELP = "compare search strategies at equal numbers of generated tokens; of a run directory, read the stored trees again"
SECTIONS = ("problems", "policy", "reward_model", "executor", "workers", "evaluation", "compare", "ray")
# Arguments that say what is searched, or that nothing is; the others make no difference to trees that are read again.
SEARCH_OPTIONS = ("dry_run", "policy", "reward_model", "limit", "seed", "name", "run_dir")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_config_arguments(parser, SECTIONS, suffix="-compare")
    options.add_model_arguments(parser, "reward model, for the strategies that need scores")
    options.add_problem_arguments(parser, "validation")


def run(args: argparse.Namespace) -> int:
    if args.config.is_dir():
        return _read_again(args)
    invocation = options.read_invocation(args)
    config = invocation.config
    guided = config.compare.reading_scores(config.evaluation.search)
    if guided and args.reward_model is None and config.reward_model.endpoint is None:
        raise UserError(
            f"--reward-model: {', '.join(guided)} need scores of a reward model: name its directory, or compare others"
        )
    problems = options.read_problems(args, invocation.problems)
    if args.dry_run:
        models, count = model_parameters(config, invocation.models), options.count_problems(args, invocation.problems)
        print(text.format_plan(invocation, stages.compare(config, count, models)))
        return 0
    with open_context(invocation) as context:
        from cluster.commands import ray_commands  # heavy: Ray and vLLM's clients

        ray_commands.compare(context, args.policy, args.reward_model, problems, args.split)
    return 0


def _read_again(args: argparse.Namespace) -> int:
    """Read all answers again from the trees of a run directory, and write its result anew. Starts no engine and no Ray."""
    root = args.config
    values = {f"--{name.replace('_', '-')}": getattr(args, name) for name in SEARCH_OPTIONS}
    named = [option for option, value in values.items() if value is not None and value is not False]
    if superfluous := [*args.overrides, *named]:
        raise UserError(f"{root} is a run directory, whose trees are read as they are: leave out {superfluous[0]}")
    if not (root / MANIFEST).is_file():
        raise UserError(f"{root} is not a RayStar run directory: it has no {MANIFEST}")
    manifest.read_manifest(root / MANIFEST).check(root)
    inventory.verify_run(root)
    result = read_comparison(root)
    write_comparison(root, result)
    comparison.show(result, Console())
    print(f"comparison: {comparison.write(root, result)}")
    return 0
